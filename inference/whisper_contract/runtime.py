"""What a server is told: one model for the environment of a container, the command line and the operator.

Each field is the environment variable `WHISPER_` and its name in capitals. The description is what people read.
"""

from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, Field, SecretStr

from whisper_contract.surface import HTTP_PORT, MANAGEMENT_PORT

ENVIRONMENT_PREFIX: Final = "WHISPER_"


Rate: TypeAlias = Annotated[
    str, Field(max_length=20, pattern=r"^([1-9][0-9]{0,8}/(second|minute|hour|day)|unlimited)$")
]
"""How many in what time, for example 100/minute; or unlimited."""


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
    tls_cert_file: Path | None = Field(None, description="Certificate of the clients' port, a PEM chain: makes it TLS.")
    tls_key_file: Path | None = Field(None, description="Its private key; all three are read again when they change.")
    tls_client_ca_file: Path | None = Field(None, description="Clients must have a certificate of this authority.")
    api_key: SecretStr | None = Field(None, description="The key that clients send as a bearer token.")
    api_key_file: Path | None = Field(None, description="A file that holds the key, for example of a mounted Secret.")
    accounts_file: Path | None = Field(None, description="accounts.yaml: named keys, what each may do, until when.")
    secret_key: SecretStr | None = Field(None, description="Signs sessions: at least 32 characters; needed for logins.")
    secret_key_file: Path | None = Field(None, description="A file that holds it.")
    secret_key_previous: SecretStr | None = Field(None, description="The one before it: sessions it signed go on.")
    secret_key_previous_file: Path | None = Field(None, description="A file that holds that.")
    admin_password: SecretStr | None = Field(None, description="Password of the account `admin`.")
    admin_password_file: Path | None = Field(None, description="A file that holds it.")
    argon2_memory_kib: int = Field(65536, ge=8192, description="Memory that checking a password takes (Argon2id).")
    argon2_passes: int = Field(3, ge=1, description="How often it goes over that memory.")
    argon2_lanes: int = Field(4, ge=1, description="On how many threads.")
    redis_url: SecretStr | None = Field(None, description="Where sessions are kept; by default in this process.")
    redis_url_file: Path | None = Field(None, description="A file that holds it.")
    advertised_host: str | None = Field(
        None, description="Where servers that share the Redis reach this one: a full one hands requests to the others."
    )
    session_idle_seconds: float = Field(900, gt=0, description="A session that nobody uses ends after this.")
    session_absolute_seconds: float = Field(28800, gt=0, description="Any session ends after this.")
    stream_token_seconds: float = Field(
        60, gt=0, le=600, description="A stream token that nobody uses ends after this."
    )
    session_retention_seconds: float = Field(86400, gt=0, description="The longest that anything of one is kept.")
    rate_transcriptions: Rate = Field("6000/minute", description="Requests with audio, by credential.")
    rate_reads: Rate = Field("6000/minute", description="Other requests, by credential.")
    rate_logins: Rate = Field("60/minute", description="Attempts to log in, by address.")
    rate_refusals: Rate = Field("120/minute", description="Requests with a wrong credential, by address.")
    concurrent_requests: int = Field(
        64, ge=1, le=1_000_000, description="Requests with audio that a credential may have at once."
    )
    concurrent_streams: int = Field(
        64, ge=1, le=1_000_000, description="Streams of live speech that a credential may have at once."
    )
    audio_seconds_per_day: int | None = Field(
        None, ge=1, le=10**9, description="Audio that a credential may send in a day (UTC); by default any amount."
    )
    legacy: bool = Field(default=False, description="Answer under the names of the service that this one replaces.")
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses and networks of proxies whose X-Forwarded-For and -Proto are believed."
    )
    cors_origins: tuple[str, ...] = Field((), description="Origins whose pages may call the server; none by default.")
    audit_retention_seconds: float = Field(
        2592000, gt=0, description="How long the audit can be asked for who did what."
    )
    audit_syslog_url: str | None = Field(None, description="Where the audit goes, too: syslog+tls://host[:6514].")
    audit_syslog_ca_file: Path | None = Field(None, description="Certificates to trust there; by default the system's.")
    audit_http_url: str | None = Field(None, description="Where the audit goes, too: JSON lists of events by POST.")
    audit_http_token_file: Path | None = Field(None, description="A file that holds the bearer token for that.")
    max_upload_bytes: int = Field(100 * 2**20, ge=1, description="The largest upload.")
    max_audio_seconds: float = Field(300, gt=0, description="The longest audio.")
    max_decoding_seconds: float = Field(60, gt=0, description="How long decoding one upload's audio may take.")
    max_backlog_seconds: float = Field(1800, gt=0, description="Audio that may wait; beyond it, requests get 429.")
    max_job_audio_seconds: float = Field(14400, gt=0, description="The longest audio of a job.")
    max_job_upload_bytes: int = Field(512 * 2**20, ge=1, description="The largest upload of a job.")
    job_store_bytes: int = Field(2**30, ge=1, description="What the audio and results of all jobs may take together.")
    job_retention_seconds: float = Field(86400, gt=0, description="How long a job is kept that is over.")
    job_lease_seconds: float = Field(30, gt=0, description="After so long without a sign of life, another takes over.")
    job_workers: int = Field(2, ge=0, le=64, description="Jobs that this server works at, at the same time.")
    max_jobs_per_owner: int = Field(100, ge=1, description="Unfinished jobs that one name may have.")
    webhook_destinations: tuple[str, ...] = Field(
        (), description="Where webhooks of jobs may go: host, *.domain, or either with :port. None by default."
    )
    webhook_networks: tuple[str, ...] = Field((), description="Networks they may go to beside public addresses.")
    webhook_plain_http: bool = Field(default=False, description="They may go over http, without TLS.")
    webhook_secret: SecretStr | None = Field(
        None, description="What signs them: whsec_ and base64; by default it follows from the secret key."
    )
    webhook_secret_file: Path | None = Field(None, description="A file that holds it.")
    max_streams: int = Field(
        256, ge=1, le=65000, description="Streams of live speech at once; fewer where the engine cannot keep up."
    )
    stream_measured: bool = Field(
        default=True,
        description="Take no new stream that the engine could not follow beside the others, as it measures.",
    )
    stream_partial_seconds: float = Field(
        1.0, ge=0.2, le=10, description="New sound between two partial results of a stream that asks for nothing else."
    )
    stream_endpoint_seconds: float = Field(
        0.6, ge=0.2, le=5, description="A pause that ends an utterance of a stream that asks for nothing else."
    )
    stream_resume_seconds: float = Field(
        120, ge=1, le=3600, description="How long a stream can be gone on with that lost its connection."
    )
    stream_idle_seconds: float = Field(60, ge=1, le=86400, description="A stream that sends nothing ends after this.")
    stream_longest_seconds: float = Field(14400, ge=1, le=604800, description="Any stream ends after this.")
    max_connections: int = Field(2000, ge=1, description="Open connections; more are answered 503 and closed.")
    max_rows: int = Field(8, ge=1, le=64, description="Rows of the decoder batch: sequences that decode together.")
    threads: int | None = Field(None, ge=1, description="Processor threads; by default one per core.")
    cache_dir: Path | None = Field(None, description="Where models and compiled models are kept.")
    npu_plugin: str | None = Field(None, description="For tests: run the NPU's graphs on this OpenVINO device.")
    leaving_seconds: float = Field(
        0, ge=0, description="How long a stop still takes requests: load balancers hear of it this late."
    )
    drain_seconds: float = Field(30, ge=0, description="How long a stop waits for requests in flight.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is logged.")
    log_format: Literal["text", "json"] = Field("text", description="Lines for people, or JSON for collectors.")
    tracing_endpoint: str | None = Field(None, description="An OTLP/HTTP collector for traces; none by default.")
