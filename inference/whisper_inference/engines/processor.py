"""What the host's processor says of itself."""

import platform


def processor_name(cpuinfo: str) -> str:
    """Return the processor's own name from the text of `/proc/cpuinfo`, or its architecture if it has none there."""
    lines = (line.partition(":") for line in cpuinfo.splitlines())
    names = (value.strip() for name, _, value in lines if name.strip() == "model name")
    return next((name for name in names if name), platform.machine())
