"""What is written down, in whose words, and how little a stranger can add to it."""

import json
from datetime import timedelta

import pytest

from tests.support.audit import ANNA, NOON, event
from whisper_inference.audit.ecs import _KINDS, sentence, to_ecs, to_ecs_json
from whisper_inference.audit.events import Action, AuditQuery, Details, Outcome, make_id, time_of
from whisper_inference.audit.sampling import MOST_FROM_STRANGERS, WINDOW_SECONDS, Sampler

CATEGORIES = {"authentication", "session", "web", "configuration", "iam", "api"}
TYPES = {"start", "end", "change", "denied", "access", "info", "creation", "deletion"}


def test_an_event_has_the_schemas_fields_and_no_empty_ones() -> None:
    fields = to_ecs(event(), "pod-1")
    assert fields["@timestamp"] == "2026-11-25T12:00:00.000+00:00"
    assert fields["ecs"] == {"version": "8.17.0"}
    assert fields["event"].items() >= {"kind": "event", "action": "login", "outcome": "success"}.items()
    assert (fields["event"]["category"], fields["event"]["type"]) == (["authentication"], ["start"])
    assert fields["user"] == {"name": "anna", "roles": ["transcriber"], "id": "account:anna"}
    assert fields["source"] == {"address": "10.0.0.7", "ip": "10.0.0.7"}
    assert fields["http"]["request"]["id"] == "c"
    assert (fields["service"]["name"], fields["host"]["name"]) == ("whisper-inference", "pod-1")
    assert "whisper" not in fields
    assert "reason" not in fields["event"]


def test_what_is_not_known_is_left_out() -> None:
    bare = event(actor=None).model_copy(update={"address": None, "correlation_id": None})
    fields = to_ecs(bare, "pod-1")
    assert fields.keys().isdisjoint({"user", "source", "http"})
    assert to_ecs(event().model_copy(update={"address": "unknown"}), "h")["source"] == {"address": "unknown"}


@pytest.mark.parametrize("action", Action)
def test_every_action_is_of_a_kind_that_the_schema_knows(action: Action) -> None:
    assert _KINDS[action].category in CATEGORIES
    assert _KINDS[action].type in TYPES


def test_details_are_custom_fields_and_the_sentence_says_them() -> None:
    noted = event(Action.TRANSCRIPTION, Outcome.FAILURE).model_copy(
        update={"details": Details(model="demo", audio_seconds=5.25), "reason": "overloaded", "repeated": 3}
    )
    assert to_ecs(noted, "h")["whisper"] == {"model": "demo", "audio_seconds": 5.25, "repeated": 3}
    assert json.loads(to_ecs_json(noted, "h"))["message"] == sentence(noted)
    assert sentence(noted) == (
        "transcription failure (overloaded) by anna (transcriber, account:anna) from 10.0.0.7 model=demo "
        "audio_seconds=5.25 and 3 more before it"
    )


def test_there_is_no_field_for_content() -> None:
    assert Details.model_fields.keys() == {"subject", "account", "model", "audio_seconds"}


def test_later_events_have_greater_ids() -> None:
    ids = [make_id(NOON + timedelta(milliseconds=number)) for number in range(300)]
    assert ids == sorted(ids)
    assert time_of(ids[7]) == NOON + timedelta(milliseconds=7)


@pytest.mark.parametrize(
    ("query", "matches"),
    [
        ({}, True),
        ({"since": NOON, "until": NOON + timedelta(seconds=1)}, True),
        ({"until": NOON}, False),
        ({"since": NOON + timedelta(seconds=1)}, False),
        ({"action": "login", "actor": "anna", "outcome": "success"}, True),
        ({"action": "logout"}, False),
        ({"actor": "bert"}, False),
        ({"outcome": "failure"}, False),
        ({"cursor": "0" * 32}, False),
        ({"cursor": "f" * 32}, True),
    ],
)
def test_a_query_matches_by_all_that_it_names(query: dict[str, object], *, matches: bool) -> None:
    assert AuditQuery.model_validate(query).matches(event()) is matches


def test_nobody_in_particular_is_found_by_no_name() -> None:
    assert not AuditQuery(actor=ANNA.name).matches(event(actor=None))


def test_what_is_repeated_is_let_through_once_in_a_window_and_says_how_often() -> None:
    now = 0.0
    sampler = Sampler(lambda: now)
    assert [sampler.repeated("rate-limit", "10.0.0.7") for _ in range(4)] == [0, None, None, None]
    assert sampler.repeated("rate-limit", "10.0.0.8") == 0
    now = WINDOW_SECONDS
    assert sampler.repeated("rate-limit", "10.0.0.7") == 3
    now += WINDOW_SECONDS
    assert sampler.repeated("rate-limit", "10.0.0.7") == 0


def test_strangers_have_so_much_room_and_no_more_until_the_next_window() -> None:
    now = 0.0
    sampler = Sampler(lambda: now)
    assert sum(sampler.has_room_for_strangers() for _ in range(2 * MOST_FROM_STRANGERS)) == MOST_FROM_STRANGERS
    now = WINDOW_SECONDS
    assert sampler.has_room_for_strangers()
