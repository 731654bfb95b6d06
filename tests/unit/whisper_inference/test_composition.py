"""What is put together is what the settings say."""

from whisper_contract.runtime import RuntimeConfig
from whisper_inference.composition import stream_limits
from whisper_inference.streaming.connection import StreamLimits
from whisper_inference.streaming.protocol import Start
from whisper_inference.streaming.service import stream_options


def test_streams_get_what_the_settings_say_where_they_ask_for_nothing_else() -> None:
    assert stream_limits(RuntimeConfig(model="demo")) == StreamLimits()
    own = stream_limits(
        RuntimeConfig(
            model="demo",
            stream_idle_seconds=9,
            stream_longest_seconds=99,
            stream_partial_seconds=0.5,
            stream_endpoint_seconds=2,
        )
    )
    assert (own.idle, own.longest) == (9, 99)
    options = stream_options(Start(type="start"), own)
    assert (options.partial_interval, options.endpoint_silence) == (0.5, 2)
    asked = stream_options(Start(type="start", partial_interval_seconds=3, endpoint_silence_seconds=1), own)
    assert (asked.partial_interval, asked.endpoint_silence) == (3, 1)
