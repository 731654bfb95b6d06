"""Opus as browsers record it becomes the same sound however it is cut, goes on elsewhere, and harms nobody."""

from contextlib import suppress
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.audio_samples import BY_NAME, encode, tone
from tests.support.recorder import cut, record
from whisper_inference.arrays import FloatArray
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.errors import InvalidRequest, UnreadableAudio, UnsupportedAudioFormat, WhisperError
from whisper_inference.streaming.frames import Encoding
from whisper_inference.streaming.recordings import Place, RecordingDecoder

ENCODINGS: tuple[Encoding, ...] = ("webm_opus", "ogg_opus")
CHUNK = 512
BLOCKS = {b"\xa3", b"\xa1"}
EBML = bytes.fromhex("1a45dfa3")


@cache
def recording(encoding: Encoding) -> bytes:
    """Three seconds of a rising tone: each moment sounds like no other."""
    sound = np.concatenate([tone(0.5, hertz=200.0 * (step + 1)) for step in range(6)])
    return record(encode(sound, BY_NAME["wav"]), encoding)


@cache
def whole(encoding: Encoding) -> FloatArray:
    """What it sounds like."""
    return heard(RecordingDecoder(encoding), [recording(encoding)])


def heard(decoder: RecordingDecoder, pieces: list[bytes]) -> FloatArray:
    """All that a decoder makes of a recording."""
    return np.concatenate([*(decoder.take(piece) for piece in pieces), decoder.finish()])


def pieces_of(data: bytes, cuts: set[int]) -> list[bytes]:
    """Cut at these bytes."""
    return [data[begin:end] for begin, end in pairwise([0, *sorted(each % len(data) for each in cuts), len(data)])]


def element(name: str, body: bytes, size: int | None = None) -> bytes:
    """An element of WebM, with the size that it says it has."""
    length = len(body) if size is None else size
    return bytes.fromhex(name) + (0x0100_0000_0000_0000 | length).to_bytes(8, "big") + body


def page(body: list[bytes], *, flags: int = 0, serial: int = 1) -> bytes:
    """A page of Ogg that holds packets of less than 255 bytes."""
    head = b"OggS\0" + bytes([flags]) + bytes(8) + serial.to_bytes(4, "little") + bytes(8) + bytes([len(body)])
    return head + bytes(map(len, body)) + b"".join(body)


HEAD = b"OpusHead\1\1\x38\1\x80\xbb\0\0\0\0\0"
TRACK = element("d7", b"\1") + element("86", b"A_OPUS") + element("63a2", HEAD)
WEBM = element("1a45dfa3", b"") + element("18538067", b"", 0xFF_FFFF_FFFF_FFFF)
OGG = page([HEAD], flags=2) + page([b"OpusTags"])
LONG_SILENCE = b"\xfb\x06"
"""A packet of six frames of 20 ms without any data (RFC 6716, section 3.2.5)."""


def webm(*blocks: bytes, track: bytes = TRACK) -> bytes:
    """A recording of these packets."""
    tracks = element("1654ae6b", element("ae", track))
    return WEBM + tracks + element("1f43b675", b"", 0) + b"".join(element("a3", b"\x81\0\0\x80" + b) for b in blocks)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_recording_sounds_as_its_file_does(encoding: Encoding) -> None:
    file = decode_audio(recording(encoding), AudioLimits())
    live = whole(encoding)
    common = min(len(file), len(live))
    assert abs(len(file) - len(live)) < 0.02 * 16_000 + CHUNK  # the end of the last packet is no sound
    assert np.abs(file[:common] - live[:common]).max() < 0.01


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=20)
@given(cuts=st.sets(st.integers(0, 1 << 20), max_size=40))
def test_it_does_not_matter_where_it_is_cut(encoding: Encoding, cuts: set[int]) -> None:
    pieces = pieces_of(recording(encoding), cuts)
    assert np.array_equal(heard(RecordingDecoder(encoding), pieces), whole(encoding))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_it_may_come_byte_by_byte(encoding: Encoding) -> None:
    data = recording(encoding)[:4000]
    pieces = [data[at : at + 1] for at in range(len(data))]
    assert np.array_equal(heard(RecordingDecoder(encoding), pieces), heard(RecordingDecoder(encoding), [data]))


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=30, phases=(Phase.generate,))  # to shrink what fails would take minutes
@given(where=st.floats(0, 1), seed=st.integers(0, 1000))
def test_another_decoder_goes_on_where_one_was_lost(encoding: Encoding, where: float, seed: int) -> None:
    data, first, sound = recording(encoding), RecordingDecoder(encoding), np.zeros(0, dtype=np.float32)
    for piece in cut(data[: int(where * len(data))], seed):
        sound = np.concatenate([sound, first.take(piece)])
    kept = len(sound) // CHUNK * CHUNK
    place = first.place(kept)
    second = RecordingDecoder(encoding, kept, place)
    assert second.origin.sample >= min(kept * 3, whole(encoding).size * 3) - 48_000
    rest = heard(second, [data[second.origin.byte :]])
    joined = np.concatenate([sound[:kept], rest])
    assert abs(len(joined) - len(whole(encoding))) <= 16
    common = min(len(joined), len(whole(encoding)))
    difference = joined[:common] - whole(encoding)[:common]
    begin = difference[kept : kept + 1600]
    assert np.sqrt(np.sum(begin**2) / max(1, len(begin))) < 0.01  # without packets to warm up by: three times as much
    assert np.sqrt(np.mean(difference**2)) < 0.01


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_recorder_that_was_begun_anew_goes_on_where_the_kept_sound_ends(encoding: Encoding) -> None:
    first = RecordingDecoder(encoding)
    kept = len(first.take(recording(encoding)[:15_000])) // CHUNK * CHUNK
    second = RecordingDecoder(encoding, kept, first.place(kept))
    assert len(heard(second, [recording(encoding)])) == len(whole(encoding))
    again = Place.model_validate_json(second.place(kept + 20 * CHUNK))
    assert again.byte > second.origin.byte
    assert kept * 3 <= again.sample <= (kept + 20 * CHUNK) * 3


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_recording_may_follow_another(encoding: Encoding) -> None:
    twice = heard(RecordingDecoder(encoding), [recording(encoding) * 2])
    assert len(twice) == pytest.approx(2 * len(whole(encoding)), abs=64)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_two_channels_become_one(encoding: Encoding) -> None:
    stereo = record(encode(tone(1), BY_NAME["wav"]), encoding, layout="stereo")
    sound = heard(RecordingDecoder(encoding), [stereo])
    assert len(sound) == pytest.approx(16_000, abs=CHUNK)
    assert np.abs(sound).max() > 0.3


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    cuts=st.sets(st.integers(0, 1 << 20), max_size=3),
    changes=st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(max_size=12)), max_size=8),
    length=st.integers(0, 1 << 14),
)
def test_a_damaged_recording_is_sound_or_a_sentence(
    encoding: Encoding, cuts: set[int], changes: list[tuple[int, bytes]], length: int
) -> None:
    data = bytearray(recording(encoding)[:length])
    for offset, change in changes:
        begin = offset % (len(data) + 1)
        data[begin : begin + len(change)] = change
    with suppress(WhisperError):
        sound = heard(RecordingDecoder(encoding), pieces_of(bytes(data), cuts) if data else [])
        assert np.isfinite(sound).all()


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(data=st.binary(min_size=16, max_size=200))
def test_garbage_is_refused(encoding: Encoding, data: bytes) -> None:
    with pytest.raises((UnreadableAudio, UnsupportedAudioFormat)):
        heard(RecordingDecoder(encoding), [data])


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_recording_that_ends_within_its_head_is_refused_and_none_is_silence(encoding: Encoding) -> None:
    assert len(heard(RecordingDecoder(encoding), [])) == 0
    with pytest.raises(UnreadableAudio, match="ended within its head"):
        heard(RecordingDecoder(encoding), [recording(encoding)[:20]])


@pytest.mark.parametrize("bomb", [webm(*[LONG_SILENCE] * 600), OGG + page([LONG_SILENCE] * 250) * 3], ids=ENCODINGS)
def test_a_frame_that_plays_for_longer_than_a_minute_is_refused(bomb: bytes) -> None:
    assert len(bomb) < 16_000
    encoding = ENCODINGS[bomb.startswith(b"OggS")]
    with pytest.raises(InvalidRequest, match="more than a minute"):
        RecordingDecoder(encoding).take(bomb)
    decoder = RecordingDecoder(encoding)
    slowly = [decoder.take(bomb[at : at + 500]) for at in range(0, len(bomb), 500)]
    assert sum(map(len, slowly)) > 60 * 16_000


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (webm() + element("ec", b"") * 50_000, "too many pieces"),
        (webm() + element("a3", b"\x81\0\0\x80" + bytes(9), 1 << 20), "too large"),
        (WEBM + element("1654ae6b", b"", 1 << 20), "too large"),
        (webm() + element("ec", b"", 0xFF_FFFF_FFFF_FFFF), "no WebM"),
        (webm() + element("a3", b"\x81\0\0"), "no WebM"),
        (webm(track=TRACK[:-6]), "no WebM"),
        (webm(track=element("d7", b"\1") + element("86", b"A_OPUS")), "head is cut off"),
        (webm(*[b"\xff" * 5] * 12), "is damaged"),
        (webm(b"", *[b"\xff" * 5] * 12), "is damaged"),
        (element("1f43b675", b""), "no WebM"),
    ],
)
def test_what_is_wrong_with_webm_is_said(data: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableAudio, match=sentence):
        RecordingDecoder("webm_opus").take(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (webm(track=element("d7", b"\1") + element("86", b"A_VORBIS")), "no Opus"),
        (webm(track=TRACK + element("6d80", b"")), "encrypted"),
        (webm(track=element("86", b"A_OPUS") + element("63a2", HEAD[:9] + b"\6" + HEAD[10:-1] + b"\1")), "channels"),
        (webm() + element("a3", b"\x81\0\0\x06" + LONG_SILENCE), "lacing"),
    ],
)
def test_webm_of_other_kinds_is_refused_by_name(data: bytes, sentence: str) -> None:
    with pytest.raises(UnsupportedAudioFormat, match=sentence):
        RecordingDecoder("webm_opus").take(data)


def test_pictures_and_what_nobody_knows_are_passed_over() -> None:
    beside = element("ec", bytes(100_000)) + element("a3", b"\x82\0\0\x80" + bytes(300_000))
    grouped = element("a0", b"", 0) + element("a1", b"\x81\0\0\0" + LONG_SILENCE) + element("75a2", b"\1")
    decoder = RecordingDecoder("webm_opus")
    data = webm() + beside + grouped * 10
    sound = heard(decoder, [data[at : at + 50_000] for at in range(0, len(data), 50_000)])
    assert len(sound) == pytest.approx(1.2 * 16_000, abs=CHUNK)


def test_ogg_of_another_kind_is_refused_and_other_streams_beside_are_passed_over() -> None:
    vorbis = record(encode(tone(0.5), BY_NAME["wav"]), "ogg_opus", layout="stereo", codec="vorbis")
    with pytest.raises(UnsupportedAudioFormat, match="no Opus"):
        RecordingDecoder("ogg_opus").take(vorbis)
    other = page([b"\x80theora"], flags=2, serial=7)
    tags = page([b"OpusTags" + bytes(200)] * 1)
    data = other + page([HEAD], flags=2) + tags + page([b"picture"], serial=7) + page([b"", *[LONG_SILENCE] * 10])
    assert len(heard(RecordingDecoder("ogg_opus"), [data])) == pytest.approx(1.2 * 16_000, abs=CHUNK)


def test_packets_and_tags_may_span_pages_of_ogg_within_bounds() -> None:
    full = b"OggS\0\1" + bytes(8) + (1).to_bytes(4, "little") + bytes(8) + b"\xff" + b"\xff" * 255 + bytes(255 * 255)
    begin = page([HEAD], flags=2)
    long_tags = begin + full.replace(b"OggS\0\1", b"OggS\0\0") + full * 20 + page([b"end"], flags=1)
    assert len(heard(RecordingDecoder("ogg_opus"), [long_tags + page([LONG_SILENCE] * 10)])) > 16_000
    with pytest.raises(UnreadableAudio, match="larger than Opus allows"):
        RecordingDecoder("ogg_opus").take(OGG + full.replace(b"OggS\0\1", b"OggS\0\0") + full)


def test_a_place_that_another_version_wrote_is_none() -> None:
    assert RecordingDecoder("webm_opus", 0, b'{"line": 3}').origin == (0, 0)
