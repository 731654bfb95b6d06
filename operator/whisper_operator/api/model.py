"""`spec.model`: which model, from where, in which number format, kept where."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from whisper_operator.api.base import ApiModel, ImageReference, Key, Name, Size, rule, rules

_PLAIN_PATH = r"^[^/.][^/]*(/[^/.][^/]*)*$"
"""Relative; no part of it is empty or begins with a dot: it stays inside its volume."""


class SecretKeyReference(ApiModel):
    """One key of a Secret in the namespace of the resource."""

    name: Name = Field(description="Name of the Secret.")
    key: Key = Field("token", description="Key in the Secret.")


class HuggingFaceSource(ApiModel):
    """The model is downloaded from a hub before the server starts; `name` is its name there."""

    revision: Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][-A-Za-z0-9._/]*$")] = Field(
        "main", description="Branch, tag or commit. A commit never changes under running pods."
    )
    token_secret: SecretKeyReference | None = Field(None, description="The hub's access token, for gated models.")


class ClaimSource(ApiModel):
    """The model lies in a PersistentVolumeClaim."""

    claim_name: Name = Field(description="Name of the claim; it is mounted read-only.")
    path: Annotated[str, Field(max_length=500, pattern=_PLAIN_PATH)] | None = Field(
        None, description="Folder or .pt file in the volume; by default the volume itself."
    )


class ImageSource(ApiModel):
    """The model lies in an image, mounted as a volume (Kubernetes 1.36, or the ImageVolume feature gate before)."""

    reference: ImageReference = Field(
        description="The image, best with its digest, for example registry.example.org/whisper-base@sha256:…"
    )
    path: Annotated[str, Field(max_length=500, pattern=_PLAIN_PATH)] | None = Field(
        None, description="Folder or .pt file in the image; by default the image itself."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When nodes pull the image."
    )


class ModelSource(ApiModel):
    """Where the model comes from: exactly one."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "[has(self.huggingFace), has(self.persistentVolumeClaim), has(self.image), has(self.path)]"
                ".filter(given, given).size() == 1",
                "write exactly one source: huggingFace, persistentVolumeClaim, image or path",
            )
        )
    )

    hugging_face: HuggingFaceSource | None = Field(None, description="Download from a hub; {} is enough.")
    persistent_volume_claim: ClaimSource | None = Field(None, description="A volume that holds the model.")
    image: ImageSource | None = Field(None, description="An image that holds the model.")
    path: Annotated[str, Field(max_length=500, pattern=r"^(/[^/.][^/]*)+$")] | None = Field(
        None, description="A folder or .pt file in the server's own image, for example /models/demo."
    )


class ModelCache(ApiModel):
    """A volume that pods share for downloads and compiled models, so that only the first start is slow."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.storageClassName) == has(oldSelf.storageClassName) && "
                "(!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)",
                "storageClassName cannot change: remove cache, apply, and add it again with the new class",
            ),
            rule(
                "self.accessMode == oldSelf.accessMode",
                "accessMode cannot change: remove cache, apply, and add it again with the new mode",
            ),
            rule(
                "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
                "size can only grow: remove cache, apply, and add it again with the smaller size",
            ),
        )
    )

    size: Size = Field(description="Size of the volume: at least twice the model, for example 10Gi.")
    storage_class_name: Name | None = Field(None, description="By default the cluster's default class.")
    access_mode: Literal["ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"] = Field(
        "ReadWriteMany", description="ReadWriteOnce keeps all pods on one node."
    )


class Model(ApiModel):
    """The model that every pool serves."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.source.huggingFace) || !self.name.contains('/')",
                "only the name of a model at a hub has a slash: name it as clients should ask for it, such as base",
            )
        )
    )

    name: Annotated[
        str,
        Field(
            max_length=128,
            pattern=r"^[A-Za-z0-9][-A-Za-z0-9_]*([.][-A-Za-z0-9_]+)*(/[A-Za-z0-9][-A-Za-z0-9_]*([.][-A-Za-z0-9_]+)*)?$",
        ),
    ] = Field(description="The name at the hub, for example openai/whisper-base, and the one that clients ask for.")
    source: ModelSource = Field(description="Where it comes from.")
    precision: Literal["auto", "f32", "bf16", "f16", "int8"] = Field(
        "auto", description="The number format; auto follows what the device computes fast."
    )
    cache: ModelCache | None = Field(None, description="Absent: each pod keeps its own copy until it ends.")
