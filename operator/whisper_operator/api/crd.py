"""The CustomResourceDefinition, made from the models."""

from typing import Any, Final

from whisper_operator.api.base import GROUP, KIND, PLURAL, VERSION
from whisper_operator.api.schema import Schema, structural_schema
from whisper_operator.api.spec import WhisperDeploymentSpec
from whisper_operator.api.status import WhisperDeploymentStatus

LONGEST_NAME: Final = 52
"""Characters of a resource's name: it is a label of its children, and names of pods are made from it."""

_COLUMNS: Final = (
    ("Model", "string", ".spec.model.name", "What is served."),
    ("Ready", "string", ".status.conditions[?(@.type=='Available')].status", "Whether clients are served."),
    ("Pools", "string", ".status.poolsSummary", "Ready and desired pods of each pool."),
    ("Capacity", "integer", ".status.capacity", "Streams of live speech that the pods could follow."),
    ("Usage", "integer", ".status.usage", "How many they have."),
    ("Age", "date", ".metadata.creationTimestamp", "Since when."),
)

_REASON: Final = {
    "name": "Reason",
    "type": "string",
    "jsonPath": ".status.conditions[?(@.type=='Available')].reason",
    "description": "Why it is ready, or not; with -o wide.",
    "priority": 1,
}


def build_crd() -> dict[str, Any]:
    """Build the definition of `whisperdeployments.whisperoperator.dev`."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["wd"],
                "categories": ["all", "whisper"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _schema()},
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": description}
                        for name, kind, path, description in _COLUMNS
                    ]
                    + [_REASON],
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                }
            ],
        },
    }


def _schema() -> Schema:
    return {
        "type": "object",
        "description": "Whisper speech-to-text: pools of inference pods, one pool per kind of device.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(WhisperDeploymentSpec),
            "status": structural_schema(WhisperDeploymentStatus),
        },
        "x-kubernetes-validations": [
            {
                "rule": f"self.metadata.name.matches('^[a-z][-a-z0-9]{{0,{LONGEST_NAME - 1}}}$')",
                "message": f"the name begins with a letter and has at most {LONGEST_NAME} characters and no dot",
            }
        ],
    }
