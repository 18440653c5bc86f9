"""Argo CD and Flux find no difference in what they applied: they apply here by their own code, and compare by it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from tests.gitops.conftest import EXAMPLES, GITOPS, namespace
from tests.gitops.tools import Tool
from tests.operator.test_gitops import kubectl
from tests.operator.test_life import ready
from tests.support.api import CHILDREN, Api, service
from tests.support.operator import settle
from tests.support.until import until

pytestmark = pytest.mark.usefixtures("operator")

SOURCES = (*sorted(EXAMPLES.glob("*.yaml")), GITOPS / "team")
TRACKED = "argocd.argoproj.io/tracking-id"
OWNED = {
    "kustomize.toolkit.fluxcd.io/name": "team",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}


def documents(source: Path, here: Api) -> list[Any]:
    """What Git says, as the tools render it: with its namespace."""
    if source.is_dir():
        built = subprocess.run(
            [str(binary("kubectl")), "kustomize", str(source)], capture_output=True, check=True
        ).stdout
    else:
        built = source.read_bytes()
    found = [d for d in yaml.safe_load_all(built) if d]
    for document in found:
        document["metadata"]["namespace"] = here.namespace
    return found


def for_argo(document: Any) -> Any:
    """With the annotation by which Argo CD knows what is its own."""
    metadata = document["metadata"]
    group = document["apiVersion"].rpartition("/")[0]
    tracked = f"team:{group}/{document['kind']}:{metadata.get('namespace', '')}/{metadata['name']}"
    annotations = metadata.get("annotations", {}) | {TRACKED: tracked}
    return document | {"metadata": metadata | {"annotations": annotations}}


def for_flux(document: Any) -> Any:
    """With the labels by which Flux knows what is its own."""
    metadata = document["metadata"]
    return document | {"metadata": metadata | {"labels": metadata.get("labels", {}) | OWNED}}


def worked(api: Api, wanted: list[Any]) -> None:
    """The operator has done its part."""
    for document in wanted:
        if document["kind"] == "WakalaService":
            ready(api, document["metadata"]["name"])
    settle(0.5)


def live(api: Api, document: Any) -> Any:
    return api.get(document["kind"], document["metadata"]["name"])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_no_tool_finds_a_difference(api: Api, argo: Tool, flux: Tool, source: Path) -> None:
    """Argo CD by none of its three comparisons, whichever way it applied, and without ignoreDifferences; nor Flux."""
    ways = [
        (namespace(api, f"{api.namespace}-{way}"), way) for way in ("argo-server", "argo-client")
    ]
    by_argo = [(here, [for_argo(d) for d in documents(source, here)], way) for here, way in ways]
    for _, wanted, way in by_argo:
        for document in wanted:
            argo.told("apply", document, serverSide=way == "argo-server")
    by_flux = [for_flux(d) for d in documents(source, api)]
    assert {flux.told("apply", d)["action"] for d in by_flux} == {"created"}
    worked(api, by_flux)
    for here, wanted, way in by_argo:
        worked(here, wanted)
        for document in wanted:
            assert argo.told("compare", document, live=live(here, document)) == {}, way
    for document in by_flux:
        before = live(api, document)["metadata"]["resourceVersion"]
        assert flux.told("compare", document) == {"action": "unchanged"}
        assert flux.told("apply", document) == {"action": "unchanged"}
        assert live(api, document)["metadata"]["resourceVersion"] == before


def test_a_quantity_in_any_spelling_is_no_difference(api: Api, argo: Tool, flux: Tool) -> None:
    resources = {
        "limits": {"cpu": 1, "memory": 1073741824},
        "requests": {"cpu": "0.5", "memory": "536870912"},
    }
    volumes = {"tmp": {"sizeLimit": "0.1Gi"}, "cache": {"sizeLimit": 5e8}}
    document = service("a", resources=resources, volumes=volumes)
    document["metadata"]["namespace"] = api.namespace
    wanted = for_flux(for_argo(document))
    argo.told("apply", wanted, serverSide=True)
    flux.told("apply", wanted)
    ready(api, "a")
    assert argo.told("compare", wanted, live=live(api, wanted)) == {}
    assert flux.told("compare", wanted) == {"action": "unchanged"}


def test_both_see_a_difference_that_is_one(api: Api, argo: Tool, flux: Tool) -> None:
    for name, mark, tool in (("a", for_argo, argo), ("f", for_flux, flux)):
        document = service(name, port=9000)
        document["metadata"]["namespace"] = api.namespace
        wanted = mark(document)
        tool.told("apply", wanted, serverSide=True)
        worked(api, [wanted])
        api.patch("WakalaService", name, {"spec": {"port": 9001}})
        if tool is argo:
            found = argo.told("compare", wanted, live=live(api, wanted))["differs"]
            assert set(found) == {"client", "structured", "server"}
            for way in found.values():
                assert (way["live"]["spec"]["port"], way["wanted"]["spec"]["port"]) == (9001, 9000)
        else:
            found = flux.told("compare", wanted)
            assert found["action"] == "configured"
            assert found["live"]["spec"]["port"] == 9001
            assert found["wanted"]["spec"]["port"] == 9000


def test_what_git_does_not_name_is_nobodys_difference(api: Api, argo: Tool, flux: Tool) -> None:
    """`kubectl scale`, and a pause by hand: the CRD's defaults stand there otherwise, and belong to no tool."""
    document = service("a")
    del document["spec"]["replicas"]
    document["metadata"]["namespace"] = api.namespace
    by_argo, by_flux = for_argo(document), for_flux(document)
    argo.told("apply", by_argo, serverSide=True)
    flux.told("apply", by_flux)
    ready(api, "a")
    kubectl(api, "scale", "ws/a", "--replicas=3")
    until(lambda: api.get("WakalaService", "a")["status"]["replicas"] == 3)
    kubectl(api, "patch", "ws/a", "--type=merge", "--patch", '{"spec": {"paused": true}}')
    ready(api, "a")
    assert argo.told("compare", by_argo, live=live(api, by_argo)) == {}
    assert flux.told("compare", by_flux) == {"action": "unchanged"}
    argo.told("apply", by_argo, serverSide=True)
    assert flux.told("apply", by_flux) == {"action": "unchanged"}
    found = api.get("WakalaService", "a")["spec"]
    assert (found["replicas"], found["paused"]) == (3, True)


def test_a_count_that_git_names_is_a_difference_when_scaled(
    api: Api, argo: Tool, flux: Tool
) -> None:
    """The other side of it: with spec.replicas in Git, scaling by hand is undone by the tool, or has to be ignored."""
    document = service("a", replicas=2)
    document["metadata"]["namespace"] = api.namespace
    wanted = for_flux(for_argo(document))
    argo.told("apply", wanted, serverSide=True)
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"replicas": 3}}, sub="scale")
    assert set(argo.told("compare", wanted, live=live(api, wanted))["differs"]) == {
        "client",
        "structured",
        "server",
    }
    assert flux.told("compare", wanted)["action"] == "configured"


def test_the_tools_marks_stay_on_the_service(api: Api, argo: Tool) -> None:
    """A child that carried them would be taken for something that Git no longer has."""
    document = service("a", autoscaling={"maxReplicas": 3})
    document["metadata"]["namespace"] = api.namespace
    document["metadata"]["labels"] = {"app.kubernetes.io/instance": "team"}
    wanted = for_flux(for_argo(document))
    argo.told("apply", wanted, serverSide=True)
    ready(api, "a")
    for kind in CHILDREN:
        child = api.get(kind, "a-runtime" if kind == "ConfigMap" else "a")
        metadata = child["metadata"]
        assert TRACKED not in metadata.get("annotations", {}), kind
        assert not OWNED.keys() & metadata["labels"].keys(), kind
        assert metadata["labels"]["app.kubernetes.io/instance"] == "a", kind
        assert len(metadata["ownerReferences"]) == 1, kind
