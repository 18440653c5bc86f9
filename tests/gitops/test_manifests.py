"""The examples for Argo CD and Flux: read by the tools' own types, and in the order that they promise."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from tests.gitops.conftest import EXAMPLES, GITOPS
from tests.gitops.tools import Tool

ROOT = EXAMPLES.parent
FILES = sorted(GITOPS.rglob("*.yaml"))
OURS = "https://git.example.com/wakala.git"


def documents(path: Path) -> list[Any]:
    return [d for d in yaml.safe_load_all(path.read_text()) if d]


def named(kind: str, name: str) -> Any:
    """The one example of that kind and name."""
    (found,) = [
        d
        for path in FILES
        for d in documents(path)
        if d.get("kind") == kind and d["metadata"]["name"] == name
    ]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GITOPS)))
def test_each_object_has_only_fields_of_its_kind(argo: Tool, flux: Tool, path: Path) -> None:
    for document in documents(path):
        if document.get("apiVersion", "").startswith("argoproj.io/"):
            argo.told("decode", document)
        elif ".toolkit.fluxcd.io/" in document.get("apiVersion", ""):
            flux.told("decode", document)
        else:
            kinds = {"ConfigMap", "Kustomization", "WakalaService", None}
            assert document.get("kind") in kinds


def test_a_field_that_is_none_is_refused(argo: Tool, flux: Tool) -> None:
    for tool, document in (
        (argo, documents(GITOPS / "argocd" / "team.yaml")[0]),
        (flux, documents(GITOPS / "flux" / "team.yaml")[1]),
    ):
        wrong = document | {"spec": document["spec"] | {"waits": True}}
        assert 'unknown field "waits"' in tool.ask("decode", wrong)["error"]


def test_the_settings_hold_the_health_check_word_for_word() -> None:
    (settings,) = documents(GITOPS / "argocd" / "argocd-cm.yaml")
    text = (GITOPS / "argocd" / "health.lua").read_text()
    assert settings["data"]["resource.customizations.health.wakala.com_WakalaService"] == text


def test_no_example_is_taken_for_a_service_to_try() -> None:
    """`make up` and the golden files take `examples/*.yaml`, and `kubectl apply -f examples` no subfolder."""
    assert not set(EXAMPLES.glob("*.yaml")) & set(FILES)


def test_argo_cd_installs_the_crds_first() -> None:
    waves = {
        name: int(
            named("Application", name)["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        )
        for name in ("wakala-crds", "wakala-operator")
    }
    assert waves["wakala-crds"] < waves["wakala-operator"]
    assert not named("Application", "wakala-crds")["spec"]["syncPolicy"]["automated"]["prune"]


def test_flux_installs_the_crds_first() -> None:
    assert named("HelmRelease", "wakala-operator")["spec"]["dependsOn"] == [{"name": "wakala-crds"}]


@pytest.mark.parametrize("chart", ["wakala-crds", "wakala-operator"])
def test_the_charts_accept_what_the_examples_give_them(chart: str) -> None:
    application = named("Application", chart)["spec"]["source"]
    release = named("HelmRelease", chart)["spec"]
    assert application["repoURL"] == OURS == named("GitRepository", "wakala")["spec"]["url"]
    assert application["path"] == release["chart"]["spec"]["chart"]
    folder = ROOT / application["path"]
    version = yaml.safe_load((folder / "Chart.yaml").read_text())["version"]
    tag = named("GitRepository", "wakala")["spec"]["ref"]["tag"]
    assert application["targetRevision"] == tag == f"v{version}"
    assert application["helm"]["releaseName"] == release["releaseName"] == chart
    for values in (application["helm"].get("valuesObject", {}), release.get("values", {})):
        ran = subprocess.run(
            [str(binary("helm")), "template", chart, str(folder), "--values", "-"],
            input=json.dumps(values).encode(),
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr


def test_flux_waits_longer_than_a_rollout_may_stand_still() -> None:
    """Else a rollout that gets nowhere ends as a timeout, and its reason is not told."""
    crd = yaml.safe_load((ROOT / "crds" / "wakala.com_wakalaservices.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    rollout = schema["properties"]["spec"]["properties"]["rollout"]["properties"]
    deadline = rollout["progressDeadlineSeconds"]["default"]
    for name in ("team.yaml", "team-with-expressions.yaml"):
        found = documents(GITOPS / "flux" / name)[-1]["spec"]
        minutes = re.fullmatch(r"(\d+)m", found["timeout"])
        assert minutes is not None
        assert int(minutes[1]) * 60 > deadline
        assert found["wait"] is True


def test_the_team_folder_sets_the_image_of_a_service() -> None:
    """kustomize's `images` knows containers only, until it is told where a service has its image."""
    built = subprocess.run(
        [str(binary("kubectl")), "kustomize", str(GITOPS / "team")], capture_output=True, check=True
    ).stdout
    (service,) = yaml.safe_load_all(built)
    (kustomization,) = documents(GITOPS / "team" / "kustomization.yaml")
    (image,) = kustomization["images"]
    assert service["spec"]["image"] == f"{image['name']}:{image['newTag']}"
