"""`spec.audit`: how long it is kept who did what, and where else it goes."""

from typing import Annotated

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, Duration, Name, rule, rules
from whisper_operator.api.model import SecretKeyReference


class AuditSyslog(ApiModel):
    """A syslog receiver, reached by TLS (RFC 5424 and 5425)."""

    address: Annotated[str, Field(max_length=259, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?$")] = Field(
        description="host or host:port; 6514 is the default. For example siem.example.org. Allow it in network.egress."
    )
    ca_secret_name: Name | None = Field(
        None, description="A Secret whose key `ca.crt` has the certificates to trust; absent: the usual ones."
    )


class AuditHttp(ApiModel):
    """A collector that takes JSON lists of ECS events by POST."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.tokenSecret) || self.url.startsWith('https://')",
                "only https keeps the token: write https://",
            )
        )
    )

    url: Annotated[str, Field(max_length=500, pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?(/[^\s@]*)?$")] = Field(
        description="For example https://collector.example.org/events. Allow it in network.egress."
    )
    token_secret: SecretKeyReference | None = Field(None, description="The bearer token, if it wants one.")


class Audit(ApiModel):
    """How long it is kept who did what, in Redis or in each pod, and where else it goes; the log always has it."""

    retention: Duration = Field("720h", description="How long events can be asked for at /api/v1/audit.")
    syslog: AuditSyslog | None = Field(None, description="Send them to a syslog receiver, too.")
    http: AuditHttp | None = Field(None, description="Send them to an HTTP collector, too.")
