"""The operator killed or uninstalled: what serves goes on serving, and a new one takes everything over."""

import json

import pytest

from tests.support.patience import eventually
from tests.support.site import SMALL, Site, resource
from tests.support.sites import README_PREFIX
from tests.support.stages import Stages

pytestmark = pytest.mark.e2e

_OPERATOR = "whisper-operator"
_PODS = "pods -l app.kubernetes.io/instance=kept"


@pytest.fixture(scope="module")
def kept(installed: Site) -> Site:
    """The cluster with a pod that serves."""
    installed.apply(resource("kept", pools=[{"name": "cpu", "device": "cpu", "resources": SMALL}]))
    installed.shell("kubectl wait --for=condition=Available --timeout=5m wd/kept")
    return installed


def uids(site: Site) -> set[str]:
    """Return what tells the pods that serve from others of their names."""
    return {each["metadata"]["uid"] for each in site.read(_PODS)["items"]}


def hears(site: Site) -> bool:
    """Say whether it answers."""
    url = f"http://kept.{site.namespace}.svc"
    said = site.ask("/client/ask_with_openai.py", url, "/audio/unseen_0.wav", secret=site.key_of("kept"))
    return "unseen_0.wav" in json.loads(said)


def test_pods_serve_without_the_operator_and_a_reinstall_adopts_them(
    kept: Site, stages: Stages, readme: dict[str, str]
) -> None:
    before = uids(kept)
    with stages.stage("helm uninstall: resources and pods stay") as seen:
        kept.shell(f"helm uninstall -n {_OPERATOR} {_OPERATOR} --wait")
        assert hears(kept)
        seen.append(kept.shell("kubectl get wd kept --no-headers").strip())
    with stages.stage("reinstall: they are adopted, none is replaced"):
        kept.shell(readme["kubernetes"].replace(README_PREFIX, kept.image_prefix))
        kept.shell(f"kubectl wait --for=condition=Available --timeout=5m -n {_OPERATOR} deployment --all")
        kept.shell("""kubectl patch wd kept --type=merge -p '{"spec": {"replicas": 2}}'""")
        eventually(lambda: len(uids(kept)) == 2)
        assert before < uids(kept)
        assert hears(kept)
        kept.shell("""kubectl patch wd kept --type=merge -p '{"spec": {"replicas": 1}}'""")


def test_an_operator_killed_again_and_again_converges(kept: Site, stages: Stages) -> None:
    with stages.stage("the operator killed while specs change") as seen:
        for number in range(4):
            retention = f"{25 + number}h"
            patch = json.dumps({"spec": {"sessions": {"retention": retention}}})
            kept.shell(f"kubectl patch wd kept --type=merge -p '{patch}'")
            kept.shell(f"kubectl delete pod -n {_OPERATOR} --all --grace-period=0 --force")
        kept.shell(f"kubectl wait --for=condition=Available --timeout=5m -n {_OPERATOR} deployment --all")

        def converged() -> bool:
            generation = kept.read("wd/kept")["metadata"]["generation"]
            progressing = kept.condition("kept", "Progressing")
            pods = kept.read(_PODS)["items"]
            told = [each for pod in pods for each in pod["spec"]["containers"][0]["env"]]
            wanted = {"name": "WHISPER_SESSION_RETENTION_SECONDS", "value": str(float(28 * 3600))}
            return (
                progressing["observedGeneration"] == generation
                and progressing["reason"] == "Settled"
                and len(pods) == 1
                and wanted in told
            )

        eventually(converged, seconds=300)
        sets = kept.read("deployments -l app.kubernetes.io/instance=kept")["items"]
        assert len(sets) == 1
        assert hears(kept)
        seen.append("one Deployment, one pod, the last setting")
