"""Where the API server keeps what the operator reads and writes, and what it may do there."""

import pytest

from whisper_operator.kinds import CHILDREN, DEPLOYMENT, OWNER, POD, Kind
from whisper_operator.rights import RIGHTS


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "path"),
    [
        (POD, "default", "a", "/api/v1/namespaces/default/pods/a"),
        (POD, None, None, "/api/v1/pods"),
        (DEPLOYMENT, "default", None, "/apis/apps/v1/namespaces/default/deployments"),
        (OWNER, None, None, "/apis/whisperoperator.dev/v1alpha1/whisperdeployments"),
    ],
)
def test_paths_are_those_of_the_api_s_conventions(
    kind: Kind, namespace: str | None, name: str | None, path: str
) -> None:
    assert kind.path(namespace, name) == path


def test_every_child_is_watched_and_made_and_no_secret_is_overwritten() -> None:
    verbs = {(right.group, right.resource): set(right.verbs) for right in RIGHTS}
    assert all({"get", "list", "watch", "create"} <= verbs[kind.group, kind.plural] for kind in CHILDREN)
    assert not verbs["", "secrets"] & {"patch", "update"}
    assert not any("*" in right.verbs for right in RIGHTS)
