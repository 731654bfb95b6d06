"""What people send becomes 16 kHz mono; what they should not send becomes a sentence that says what to do."""

import io
import struct

import numpy as np
import pytest

from tests.support.audio_samples import BY_NAME, ENCODINGS, Encoding, encode, tone, wav
from tests.support.checkpoints import Clip
from whisper_inference.arrays import FloatArray
from whisper_inference.audio.decoding import AudioLimits, decode_audio
from whisper_inference.errors import (
    AudioDecodingTimeout,
    AudioTooLong,
    UnreadableAudio,
    UnsupportedAudioFormat,
    UploadTooLarge,
    WhisperError,
)

LIMITS = AudioLimits()
RATE = 16_000


def loudest_hertz(samples: FloatArray) -> float:
    """Return the pitch of a tone."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


def pcm(sound: FloatArray) -> bytes:
    """Return 16-bit samples."""
    return (sound * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("channels", [None, 2])
@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_every_format_keeps_pitch_loudness_and_length(encoding: Encoding, channels: int | None) -> None:
    samples = decode_audio(encode(tone(2.0, encoding.rate), encoding, channels=channels), LIMITS)
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples) / RATE == pytest.approx(2.0, abs=0.01 if encoding.lossless else 0.1)
    middle = samples[RATE // 2 : -RATE // 2]
    assert loudest_hertz(middle) == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_a_16_khz_wav_is_taken_as_it_is() -> None:
    sound = tone(0.5, RATE)
    integers = np.frombuffer(pcm(sound), "<i2")
    np.testing.assert_array_equal(decode_audio(wav(pcm(sound)), LIMITS), integers.astype(np.float32) / 32768)


def test_a_file_object_is_read_like_bytes() -> None:
    upload = encode(tone(0.5), BY_NAME["flac"])
    np.testing.assert_array_equal(decode_audio(io.BytesIO(upload), LIMITS), decode_audio(upload, LIMITS))


@pytest.mark.parametrize("name", ["seen_2.mp3", "seen_2.ogg"])
def test_the_recordings_sound_the_same_in_other_formats(name: str, clips: dict[str, Clip]) -> None:
    wanted, heard = clips["seen_2.wav"].samples(), decode_audio(clips[name].path.read_bytes(), LIMITS)
    length = min(len(wanted), len(heard))
    spectra = [np.abs(np.fft.rfft(samples[:length])) for samples in (wanted, heard)]
    assert np.corrcoef(spectra)[0, 1] > 0.9


def test_cover_art_is_passed_over() -> None:
    assert len(decode_audio(encode(tone(1.0), BY_NAME["mp3"], cover=True), LIMITS)) == pytest.approx(RATE, rel=0.1)


def test_links_of_an_ogg_chain_are_all_heard() -> None:
    first, second = (encode(tone(1.0, hertz=pitch), BY_NAME["ogg_opus"]) for pitch in (440, 880))
    samples = decode_audio(first + second, LIMITS)
    assert len(samples) == pytest.approx(2 * RATE, rel=0.05)
    assert loudest_hertz(samples[-RATE // 2 :]) == pytest.approx(880, abs=5)


def test_a_rate_that_changes_in_the_middle_is_followed() -> None:
    slow = Encoding("mp3", "mp3", "libmp3lame", "fltp", rate=24_000)
    samples = decode_audio(encode(tone(1.0), BY_NAME["mp3"]) + encode(tone(1.0, 24_000), slow), LIMITS)
    assert len(samples) == pytest.approx(2 * RATE, rel=0.15)
    assert loudest_hertz(samples[-RATE // 2 :]) == pytest.approx(440, abs=5)


def test_what_is_no_number_is_silence_and_what_is_too_loud_is_cut() -> None:
    floats = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.5] * 1000, dtype="<f4")
    samples = decode_audio(wav(floats.tobytes(), bits=32, kind=3), LIMITS)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1


def test_a_file_that_was_cut_off_gives_what_is_there() -> None:
    upload = encode(tone(4.0), BY_NAME["mp3"])
    assert len(decode_audio(upload[: len(upload) // 2], LIMITS)) == pytest.approx(2 * RATE, rel=0.1)


@pytest.mark.parametrize(
    ("upload", "error", "advice"),
    [
        (b"", UnsupportedAudioFormat, "send WAV"),
        (b"RIFF", UnsupportedAudioFormat, "send WAV"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedAudioFormat, "send WAV"),
        (b"#EXTM3U\nfile:///etc/passwd\n", UnsupportedAudioFormat, "send WAV"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", UnsupportedAudioFormat, "send WAV"),
        (b"fLaC" + bytes(100), UnreadableAudio, "send the whole file"),
        (b"OggS" + bytes(100), UnreadableAudio, "send the whole file"),
        (b"RIFF\x24\x00\x00\x00WAVE", UnreadableAudio, "send the whole file"),
        (wav(b""), UnreadableAudio, "not empty"),
        (wav(bytes(200)), UnreadableAudio, "not empty"),
        (wav(bytes(255 * 2 * 1000), channels=255), UnreadableAudio, "at most 8"),
        (wav(bytes(32000), rate=1), UnreadableAudio, "4000 to 192000"),
        (wav(bytes(32000), rate=2**31 - 1), UnreadableAudio, "4000 to 192000"),
        (wav(bytes(32000), channels=0), UnreadableAudio, "send the whole file"),
    ],
)
def test_an_upload_that_is_no_sound_is_refused_with_a_sentence(
    upload: bytes, error: type[WhisperError], advice: str
) -> None:
    with pytest.raises(error, match=advice) as refusal:
        decode_audio(upload, LIMITS)
    assert type(refusal.value) is error
    assert refusal.value.param == "file"


def test_a_codec_that_is_not_decoded_here_is_named() -> None:
    gsm = wav(bytes(6500), kind=0x31, bits=0)
    with pytest.raises(UnsupportedAudioFormat, match="gsm"):
        decode_audio(gsm, LIMITS)


def test_an_upload_of_too_many_bytes_is_refused_unread() -> None:
    with pytest.raises(UploadTooLarge, match="compress or split"):
        decode_audio(wav(bytes(2000)), AudioLimits(max_upload_bytes=2000))


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_audio_that_plays_for_too_long_is_refused(encoding: Encoding) -> None:
    with pytest.raises(AudioTooLong, match="split it"):
        decode_audio(encode(tone(2.0, encoding.rate), encoding), AudioLimits(max_duration=1.5))


def test_audio_of_the_longest_duration_is_taken() -> None:
    assert len(decode_audio(wav(bytes(2 * RATE)), AudioLimits(max_duration=1.0))) == RATE


def test_decoding_that_takes_too_long_is_given_up() -> None:
    with pytest.raises(AudioDecodingTimeout, match="convert the audio"):
        decode_audio(encode(tone(1.0), BY_NAME["mp3"]), AudioLimits(max_decoding=0.0))


def test_a_length_in_the_header_that_is_not_true_does_no_harm() -> None:
    upload = bytearray(wav(pcm(tone(1.0, RATE))))
    struct.pack_into("<I", upload, 40, 2**32 - 1)
    assert len(decode_audio(bytes(upload), LIMITS)) == RATE
