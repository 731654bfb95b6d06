"""Words that two hypotheses agree on stay, whatever the next ones say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whisper_inference.streaming.agreement import Agreement, Words, continuation

WORDS = st.lists(st.sampled_from([" the", " ship", " sails", " Ship,", " at", " dawn."]), max_size=12).map(tuple)


def words(text: str) -> Words:
    return tuple(f" {word}" for word in text.split())


def test_a_single_hypothesis_is_not_believed() -> None:
    heard = Agreement().hear(words("the ship"))
    assert (heard.stable, heard.unstable) == ((), words("the ship"))


def test_what_two_in_a_row_begin_with_is_stable() -> None:
    heard = Agreement().hear(words("the ship sets out")).hear(words("the ship sails at"))
    assert heard.stable == words("the ship")
    assert heard.unstable == words("sails at")


def test_the_last_word_of_a_hypothesis_is_half_heard() -> None:
    heard = Agreement().hear(words("the ship")).hear(words("the ship sails"))
    assert (heard.stable, heard.unstable) == (words("the"), words("ship sails"))


def test_agreement_goes_on_behind_what_is_stable() -> None:
    heard = Agreement()
    for text in ("the ship sets out", "the ship sails at dawn", "the ship sails at dawn today"):
        heard = heard.hear(words(text))
    assert heard.stable == words("the ship sails at")
    assert heard.unstable == words("dawn today")


def test_three_may_be_asked_to_agree() -> None:
    heard = Agreement(needed=3).hear(words("the ship")).hear(words("the ship"))
    assert heard.stable == ()
    assert heard.hear(words("the ship")).stable == words("the")


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("the ship sails", "sails"),
        ("The ship, sails", "sails"),
        ("a ship sails", "sails"),
        ("ship sails", "sails"),
        ("the big ship sails", "sails"),
        ("the", ""),
        ("", ""),
    ],
)
def test_stable_words_are_found_again_however_they_are_spelled(text: str, rest: str) -> None:
    assert continuation(words("the ship"), words(text)) == words(rest)


def test_the_end_takes_nothing_back() -> None:
    heard = Agreement().hear(words("the ship is")).hear(words("the ship is"))
    assert heard.settle(words("A ship sails.")) == words("the ship sails.")


@given(st.lists(WORDS, max_size=8), st.integers(1, 3))
def test_whatever_is_heard_what_is_stable_only_grows(hypotheses: list[Words], needed: int) -> None:
    heard = Agreement(needed=needed)
    for hypothesis in hypotheses:
        before, heard = heard.stable, heard.hear(hypothesis)
        assert heard.stable[: len(before)] == before
        assert heard.settle(hypothesis)[: len(heard.stable)] == heard.stable


@given(WORDS)
def test_a_hypothesis_that_is_said_twice_is_stable_but_for_its_last_word(hypothesis: Words) -> None:
    heard = Agreement().hear(hypothesis).hear(hypothesis)
    assert (heard.stable, heard.unstable) == (hypothesis[:-1], hypothesis[-1:])


@given(WORDS, WORDS)
def test_what_follows_the_stable_words_is_found_exactly(stable: Words, rest: Words) -> None:
    assert continuation(stable, stable + rest) == rest
