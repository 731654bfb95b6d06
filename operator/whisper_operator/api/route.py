"""`spec.route`: how clients outside the cluster reach the server."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, LabelMap, Name, rule, rules


class Gateway(ApiModel):
    """The Gateway that an HTTPRoute is attached to; TLS is the Gateway's."""

    name: Name = Field(description="Its name.")
    namespace: Name | None = Field(None, description="Its namespace; by default the resource's own.")
    section_name: Name | None = Field(None, description="One of its listeners; by default all that fit.")


class Route(ApiModel):
    """One host, to the Service of all pools."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.kind != 'httpRoute' || has(self.gateway)", "kind: httpRoute needs gateway: {name: …}"),
            rule("self.kind == 'httpRoute' || !has(self.gateway)", "only kind: httpRoute has a gateway; remove it"),
            rule(
                "self.kind == 'ingress' || !(has(self.tlsSecretName) || has(self.ingressClassName))",
                "tlsSecretName and ingressClassName belong to kind: ingress; a Gateway has its own",
            ),
        )
    )

    host: Annotated[
        str,
        Field(max_length=253, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"),
    ] = Field(description="The name that clients type, for example speech.example.org.")
    kind: Literal["ingress", "httpRoute"] = Field("ingress", description="An Ingress, or a route of the Gateway API.")
    ingress_class_name: Name | None = Field(None, description="By default the cluster's default class.")
    tls_secret_name: Name | None = Field(
        None, description="The Secret with the certificate; absent: plain HTTP, keys in clear."
    )
    gateway: Gateway | None = Field(None, description="What an HTTPRoute is attached to.")
    annotations: LabelMap = Field(
        {}, description="For the controller; nginx is told the upload limit and a long read timeout unless you do."
    )
