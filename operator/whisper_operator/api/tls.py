"""`spec.tls`: whether the server itself speaks TLS, and whom it lets in."""

from pydantic import Field

from whisper_operator.api.base import ApiModel, Name


class Tls(ApiModel):
    """TLS of the server's own port; probes and metrics stay plain, inside the cluster."""

    secret_name: Name = Field(
        description="A Secret of the type kubernetes.io/tls: tls.crt and tls.key. A renewed pair is used at once."
    )
    client_ca_secret_name: Name | None = Field(
        None,
        alias="clientCASecretName",
        description="A Secret whose ca.crt is an authority: only clients with a certificate of it come in.",
    )
