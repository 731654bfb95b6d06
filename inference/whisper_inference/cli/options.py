"""What can be written after a command, declared once for all commands.

An option that is not given is `None`: the settings know its default, and the environment comes first.
"""

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

Device: TypeAlias = Literal["auto", "npu", "gpu", "cpu"]
EngineName: TypeAlias = Literal["auto", "openvino", "pytorch"]
Precision: TypeAlias = Literal["auto", "f32", "bf16", "f16", "int8"]
OutputFormat: TypeAlias = Literal["txt", "srt", "vtt", "json", "verbose_json"]
TaskName: TypeAlias = Literal["transcribe", "translate"]
RoleName: TypeAlias = Literal["viewer", "transcriber", "admin"]

ModelOption: TypeAlias = Annotated[
    str,
    typer.Option(
        envvar="WHISPER_MODEL",
        help="A folder in the Hugging Face layout, an OpenAI .pt file, or a model's name, such as base.",
    ),
]
RevisionOption: TypeAlias = Annotated[
    str | None, typer.Option(envvar="WHISPER_REVISION", help="Branch, tag or commit of a model at the hub.")
]
CacheDirOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(envvar="WHISPER_CACHE_DIR", file_okay=False, help="Where models and compiled models are kept."),
]
DeviceOption: TypeAlias = Annotated[
    Device | None,
    typer.Option(envvar="WHISPER_DEVICE", help="A single one is that one or a refusal; auto tries NPU, GPU, CPU."),
]
EngineOption: TypeAlias = Annotated[
    EngineName | None, typer.Option(envvar="WHISPER_ENGINE", help="Which engine runs the model.")
]
PrecisionOption: TypeAlias = Annotated[
    Precision | None, typer.Option(envvar="WHISPER_PRECISION", help="auto follows what the device computes fast.")
]
HostOption: TypeAlias = Annotated[
    str | None, typer.Option(envvar="WHISPER_HOST", help="Address to listen on; any but loopback needs a key.")
]
PortOption: TypeAlias = Annotated[
    int | None, typer.Option(envvar="WHISPER_PORT", min=0, max=65535, help="Where clients speak to the server.")
]
ManagementPortOption: TypeAlias = Annotated[
    int | None,
    typer.Option(envvar="WHISPER_MANAGEMENT_PORT", min=0, max=65535, help="Where probes and metrics are."),
]
RowsOption: TypeAlias = Annotated[
    int | None, typer.Option(envvar="WHISPER_MAX_ROWS", min=1, max=64, help="Sequences that decode together.")
]
ThreadsOption: TypeAlias = Annotated[
    int | None, typer.Option(envvar="WHISPER_THREADS", min=1, help="Processor threads; by default one per core.")
]
AudioSecondsOption: TypeAlias = Annotated[
    float | None, typer.Option(envvar="WHISPER_MAX_AUDIO_SECONDS", help="The longest audio, in seconds.")
]
