"""The processor's own name."""

import platform

from whisper_inference.engines.processor import processor_name


def test_the_first_processor_gives_the_name() -> None:
    assert processor_name("processor\t: 0\nmodel name\t: AMD EPYC 7713\nmodel name\t: other\n") == "AMD EPYC 7713"


def test_without_a_name_there_is_the_architecture() -> None:
    assert processor_name("processor : 0\nmodel name :\n") == platform.machine()
