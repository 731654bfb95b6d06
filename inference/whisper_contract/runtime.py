"""What a server is told: one model for the environment of a container, the command line and the operator.

Each field is the environment variable `WHISPER_` and its name in capitals. The description is what people read.
"""

from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, SecretStr

from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT

ENVIRONMENT_PREFIX: Final = "WHISPER_"


class RuntimeConfig(BaseModel):
    """The settings of one inference server."""

    model: str = Field(description="A folder, a .pt file, or the name of a model at the hub.")
    revision: str = Field("main", description="Branch, tag or commit of a model at the hub.")
    model_name: str | None = Field(None, description="The name that clients ask for; by default the model's own.")
    device: Literal["auto", "npu", "gpu", "cpu"] = Field(
        "auto", description="auto tries NPU, GPU and CPU in this order; a single one means that one or a refusal."
    )
    engine: Literal["auto", "openvino", "pytorch"] = Field("auto", description="Which engine runs the model.")
    precision: Literal["auto", "f32", "bf16", "f16", "int8"] = Field(
        "auto", description="The number format; auto follows what the device computes fast."
    )
    host: str = Field("127.0.0.1", description="Address to listen on. Any but loopback needs a key that you give.")
    port: int = Field(HTTP_PORT, ge=0, le=65535, description="Where clients speak to the server.")
    management_host: str = Field("127.0.0.1", description="Address of probes and metrics; they need no key.")
    management_port: int = Field(MANAGEMENT_PORT, ge=0, le=65535, description="Port of probes and metrics.")
    api_key: SecretStr | None = Field(None, description="The key that clients send as a bearer token.")
    api_key_file: Path | None = Field(None, description="A file that holds the key, for example of a mounted Secret.")
    max_upload_bytes: int = Field(100 * 2**20, ge=1, description="The largest upload.")
    max_audio_seconds: float = Field(300, gt=0, description="The longest audio.")
    max_decoding_seconds: float = Field(60, gt=0, description="How long decoding one upload's audio may take.")
    max_backlog_seconds: float = Field(1800, gt=0, description="Audio that may wait; beyond it, requests get 429.")
    max_rows: int = Field(8, ge=1, le=64, description="Rows of the decoder batch: sequences that decode together.")
    threads: int | None = Field(None, ge=1, description="Processor threads; by default one per core.")
    cache_dir: Path | None = Field(None, description="Where models and compiled models are kept.")
    npu_plugin: str | None = Field(None, description="For tests: run the NPU's graphs on this OpenVINO device.")
    drain_seconds: float = Field(30, ge=0, description="How long a stop waits for requests in flight.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON for collectors.")
    tracing_endpoint: str | None = Field(None, description="An OTLP/HTTP collector for traces; none by default.")
