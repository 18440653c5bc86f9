"""What was stored under an earlier CRD lives on under the present one: nothing lost, editable, looked after."""

import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.cluster import Cluster
from tests.gitops.tools import Tool
from tests.operator.test_gitops import kubectl
from tests.support.api import Api, Refused, condition, service
from tests.support.operator import Operator
from tests.support.until import until

HERE = Path(__file__).parent
PRESENT = HERE.parents[1] / "crds" / "wakala.com_wakalaservices.yaml"
PREVIOUS = sorted(path.parent for path in HERE.glob("previous/*/crd.yaml"))
DEFINITION = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/wakalaservices.wakala.com"


def install(api: Api, crd: Path) -> None:
    """As the upgrade page says for kustomize; wait until it is served as written."""
    kubectl(api, "apply", "--server-side", "-f", str(crd))
    kubectl(api, "wait", "--for=condition=Established", "--timeout=30s", f"-f={crd}")
    until(lambda: _served(api))


def _served(api: Api) -> bool:
    try:
        api.list("WakalaService")
    except Refused:
        return False
    return True


def holds(now: Any, before: Any) -> bool:
    """Whether everything that was there is there; more may be."""
    if isinstance(before, dict):
        return isinstance(now, dict) and all(
            name in now and holds(now[name], value) for name, value in before.items()
        )
    if isinstance(before, list):
        return len(now) == len(before) and all(map(holds, now, before))
    return bool(now == before)


def touch(api: Api, name: str) -> Any:
    """An edit that has nothing to do with the upgrade, strict as kubectl is."""
    change = {"metadata": {"annotations": {"touched": str(time.monotonic())}}}
    return api.call(
        "PATCH",
        api.path("WakalaService", name),
        change,
        kind="application/merge-patch+json",
        fieldValidation="Strict",
    )


@contextmanager
def looked_after(api: Api, folder: Path) -> Iterator[None]:
    """The present operator, running."""
    running = Operator(api.cluster.kubeconfig, folder / "operator.log")
    try:
        yield
    finally:
        code = running.stop()
    assert code == 0
    assert running.tracebacks() == []


def seen(api: Api, name: str, status: str, reason: str) -> Any:
    """The service once its Ready says so of its present generation."""

    def ask() -> Any:
        found = api.get("WakalaService", name)
        told = condition(found, "Ready")
        now = told.get("observedGeneration") == found["metadata"]["generation"]
        return found if now and (told["status"], told["reason"]) == (status, reason) else None

    return until(ask, within=30)


@pytest.mark.parametrize("previous", PREVIOUS, ids=lambda path: path.name)
def test_what_an_earlier_version_stored_lives_on(
    own_cluster: Cluster, tmp_path: Path, previous: Path
) -> None:
    api = Api(own_cluster)
    install(api, previous / "crd.yaml")
    documents = list(yaml.safe_load_all((previous / "objects.yaml").read_text()))
    for document in documents:
        api.create(document)
    stored = {found["metadata"]["name"]: found for found in api.list("WakalaService")}
    assert len(stored) >= 5
    install(api, PRESENT)
    for name, before in stored.items():
        assert holds(touch(api, name)["spec"], before["spec"]), name
    with looked_after(api, tmp_path):
        for name, before in stored.items():
            paused = before["spec"].get("paused")
            found = seen(
                api, name, "Unknown" if paused else "True", "Paused" if paused else "RolledOut"
            )
            assert holds(found["spec"], before["spec"]), name
            assert "FieldsUnknown" not in {
                d["reason"] for d in found["status"].get("decisions", [])
            }
    versions = [v["name"] for v in yaml.safe_load(PRESENT.read_text())["spec"]["versions"]]
    assert set(api.call("GET", DEFINITION)["status"]["storedVersions"]) <= set(versions)


def older(crd: Any) -> Any:
    """A version before the first: fewer fields and defaults, and bounds and rules that came later."""
    before = copy.deepcopy(crd)
    schema = before["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    for name in ("sysctls", "operatorClass", "paused", "checklist", "podTemplatePatch"):
        del spec["properties"][name]
    del spec["properties"]["rollout"]["properties"]["preStopSeconds"]
    del spec["x-kubernetes-validations"]
    del spec["properties"]["port"]["maximum"]
    del status["default"]
    del status["properties"]["observedGeneration"]["default"]
    for name in ("inventory", "decisions"):
        del status["properties"][name]
    return before


def test_fields_defaults_bounds_and_rules_that_are_new_break_nothing(
    own_cluster: Cluster, tmp_path: Path, flux: Tool
) -> None:
    """The oldest frozen CRD, made older still."""
    api = Api(own_cluster)
    crd = tmp_path / "older.yaml"
    crd.write_text(yaml.safe_dump(older(yaml.safe_load((PREVIOUS[0] / "crd.yaml").read_text()))))
    install(api, crd)
    memory = {"tmp": {"sizeLimit": "2Gi"}}
    api.create(service("plain", rollout={"maxSurge": 1}))
    api.create(service("port", port=70_000))
    api.create(service("rule", volumes=memory))
    stored = {found["metadata"]["name"]: found for found in api.list("WakalaService")}
    assert "status" not in stored["plain"]
    assert "paused" not in stored["plain"]["spec"]
    install(api, PRESENT)
    until(lambda: "paused" in api.get("WakalaService", "plain")["spec"])

    now = api.get("WakalaService", "plain")
    assert now["spec"]["rollout"]["preStopSeconds"] == 10, "what is new has its default"
    assert now["metadata"]["generation"] == 1, "a default is no edit"
    assert flux.told("status", now)["status"] == "InProgress", "nobody has seen it yet"
    for name, before in stored.items():
        assert holds(touch(api, name)["spec"], before["spec"]), name
    with pytest.raises(Refused, match="port"):
        api.create(service("another", port=70_000))
    with pytest.raises(Refused, match=r"limits\.memory"):
        api.create(service("another", volumes=memory))

    with looked_after(api, tmp_path):
        seen(api, "plain", "True", "RolledOut")
        for name, said in (("port", "wanted at most 65535"), ("rule", "limits.memory")):
            found = seen(api, name, "False", "SpecInvalid")
            assert said in condition(found, "Stalled")["message"]
            assert holds(found["spec"], stored[name]["spec"])
        api.patch("WakalaService", "port", {"spec": {"port": 7000}})
        api.patch("WakalaService", "rule", {"spec": {"volumes": None}})
        for name in ("port", "rule"):
            seen(api, name, "True", "RolledOut")
