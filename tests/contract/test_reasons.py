"""Every reason that a condition can have is in docs/operations.md, and nothing else is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_SOURCES = ("conditions.py", "observe.py", "reconcile.py", "children/credentials.py")


def _reasons() -> Iterator[str]:
    """Every word in those files that is written as reasons are."""
    words = re.compile(
        r"([A-Z][a-z]+){2,}|Accepted|Strict|Stuck|Settled|Starting|Recovering|Unschedulable|Scaling|Loaded"
    )
    for source in _SOURCES:
        nodes = ast.walk(ast.parse(Path("operator/whisper_operator", source).read_text()))
        texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        yield from filter(words.fullmatch, texts)


_NOT_REASONS = {"PodScheduled", "ReplicaFailure", "InvalidImageName", "CrashLoopBackOff"}
_NOT_REASONS |= {"ScalingActive", "ScalingDisabled"}


def test_the_page_has_every_reason_and_no_other() -> None:
    page = Path("docs/operations.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    types = {"CredentialsReady", "FallbackActive", "Available", "Progressing", "AutoscalingReady", "ModelReady"}
    kubelet = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "OOMKilled", "RunContainerError"}
    kubelet |= {"CreateContainerConfigError", "CreateContainerError"}
    assert set(_reasons()) - types - kubelet - _NOT_REASONS == documented
