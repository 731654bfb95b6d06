"""When an object needs a write, and when it does not."""

from typing import Any

import pytest

from whisper_operator.fingerprint import is_current, stamped

WANTED: dict[str, Any] = {
    "metadata": {"name": "a"},
    "spec": {"replicas": 2, "items": [{"cpu": "1000m"}], "empty": {}},
}


def live() -> dict[str, Any]:
    """What the API server makes of it."""
    stored = stamped(WANTED)
    spec = {"replicas": 2, "items": [{"cpu": "1", "added": "by default"}], "empty": {}, "more": True}
    return {"metadata": stored["metadata"] | {"uid": "u"}, "spec": spec, "status": {}}


def test_defaults_and_rewritten_quantities_need_no_write() -> None:
    assert is_current(stamped(WANTED), live())


@pytest.mark.parametrize(
    "drift",
    [{"replicas": 3}, {"items": []}, {"items": [{"cpu": "2"}]}, {"empty": None}, {"items": None}],
)
def test_drift_needs_one(drift: dict[str, Any]) -> None:
    found = live()
    found["spec"] |= drift
    assert not is_current(stamped(WANTED), found)


def test_a_field_that_is_no_longer_wanted_needs_one() -> None:
    fewer = {"metadata": {"name": "a"}, "spec": {"replicas": 2}}
    assert not is_current(stamped(fewer), live())


def test_words_are_not_quantities() -> None:
    wanted = {"metadata": {}, "value": "1x"}
    assert not is_current(wanted, {"metadata": {}, "value": "1y"})
