"""Tags are cut off or hidden, wherever they are, and the sound around them is left as it is."""

import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.audio_samples import BY_NAME, encode, tone, wav
from tests.support.hostile_audio import inflating_tag
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.audio.tags import UntaggedFile, end_of_leading_tags, find_tags

TAG = inflating_tag(1)
FOOTED = b"ID3\x04\x00\x10\x00\x00\x00\x02ab" + b"3DI\x04\x00\x10\x00\x00\x00\x02"


def test_the_sound_begins_behind_every_leading_tag() -> None:
    assert end_of_leading_tags(io.BytesIO(TAG + FOOTED + b"sound")) == len(TAG) + len(FOOTED)
    assert end_of_leading_tags(io.BytesIO(b"sound")) == 0
    assert end_of_leading_tags(io.BytesIO(b"ID3")) == 0


@given(st.integers(0, 40))
def test_a_tag_is_found_across_the_pieces_in_which_a_file_is_read(back: int) -> None:
    before = bytes((1 << 20) - back)
    assert list(find_tags(io.BytesIO(before + TAG))) == [len(before)]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 30))
def test_however_it_is_read_only_the_first_letters_of_tags_are_missing(sizes: list[int], start: int) -> None:
    content = bytes(30) + TAG + bytes(7) + FOOTED + b"sound"
    file = io.BytesIO(content)
    tags = tuple(find_tags(file))
    untagged = UntaggedFile(file, start, tags, lambda: None)
    read = b"".join(untagged.read(sizes[index % len(sizes)]) for index in range(len(content)))
    assert read == content.replace(b"ID3\x04", b"\0D3\x04")[start:]
    assert untagged.tell() == len(read)
    assert untagged.seek(2) == 2
    assert untagged.read(3) == read[2:5]


def test_a_file_that_somebody_closes_while_it_is_decoded_has_ended() -> None:
    file = io.BytesIO(bytes(100))
    untagged = UntaggedFile(file, 0, (), lambda: None)
    assert untagged.read(10) == bytes(10)
    file.close()
    assert untagged.read(10) == b""
    assert untagged.seek(0) == -1


def test_a_tag_before_any_format_is_passed_over() -> None:
    for name in ("mp3", "aac", "flac", "wav"):
        plain = encode(tone(0.5), BY_NAME[name])
        np.testing.assert_array_equal(decode_audio(TAG + plain, AudioLimits()), decode_audio(plain, AudioLimits()))


def test_a_tag_within_a_wav_leaves_its_samples_as_they_are() -> None:
    samples = bytes(range(256)) * 40
    tagged = wav(samples) + b"id3 " + len(TAG).to_bytes(4, "little") + TAG
    np.testing.assert_array_equal(decode_audio(tagged, AudioLimits()), decode_audio(wav(samples), AudioLimits()))
