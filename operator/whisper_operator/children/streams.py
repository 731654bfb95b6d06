"""What the servers are told of live speech."""

from typing import Any

from whisper_operator.api.base import duration
from whisper_operator.api.streams import Streams


def stream_settings(streams: Streams) -> dict[str, Any]:
    """Return the settings of `spec.streams`."""
    return {
        "stream_partial_seconds": duration(streams.partial_interval).total_seconds(),
        "stream_endpoint_seconds": duration(streams.endpoint_silence).total_seconds(),
        "stream_resume_seconds": duration(streams.resume_window).total_seconds(),
        "stream_idle_seconds": duration(streams.idle_timeout).total_seconds(),
        "stream_longest_seconds": duration(streams.longest).total_seconds(),
        "max_streams": streams.max_per_pod,
        "stream_measured": streams.measured,
    }
