"""Nobody sees a difference that is none: applied again, spelled otherwise, read by an older operator."""

import subprocess
import time
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from tests.golden.render import EXAMPLES
from tests.operator.test_life import ready
from tests.support.api import Api, condition, service
from tests.support.audit import position, writes
from tests.support.operator import settle
from tests.support.until import until

pytestmark = pytest.mark.usefixtures("operator")

CRD = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/wakalaservices.wakala.com"


def kubectl(api: Api, *words: str, good: bool = True) -> str:
    """The real kubectl, in the test's namespace."""
    where = ["--kubeconfig", str(api.cluster.kubeconfig), "-n", api.namespace]
    ran = subprocess.run(
        [str(binary("kubectl")), *where, *words], capture_output=True, text=True, check=False
    )
    assert (ran.returncode == 0) == good, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
@pytest.mark.parametrize("how", [(), ("--server-side",)], ids=["client", "server"])
def test_an_example_applied_again_is_unchanged(
    api: Api, example: str, how: tuple[str, ...]
) -> None:
    """As written, on a running operator: the second apply and `kubectl diff` find nothing."""
    file = str(EXAMPLES / example)
    kubectl(api, "apply", *how, "-f", file)
    documents = [d for d in yaml.safe_load_all((EXAMPLES / example).read_text()) if d]
    for document in documents:
        if document["kind"] == "WakalaService":
            ready(api, document["metadata"]["name"])
    settle(1)
    before = {d["metadata"]["name"]: _version(api, d) for d in documents}
    said = kubectl(api, "apply", *how, "-f", file).splitlines()
    if not how:
        assert all(line.endswith(" unchanged") for line in said), said
    assert {d["metadata"]["name"]: _version(api, d) for d in documents} == before
    assert kubectl(api, "diff", *how, "-f", file) == ""


def _version(api: Api, document: dict[str, Any]) -> str:
    """The object's spec and metadata as far as an apply could change them."""
    found = api.get(document["kind"], document["metadata"]["name"])
    return f"{found['metadata'].get('generation')} {found['metadata'].get('annotations')}"


SPELLINGS = {
    "whole": {"cpu": 1, "memory": 1073741824},
    "milli": {"cpu": "1000m", "memory": "1024Mi"},
    "decimal": {"cpu": "1.0", "memory": "1.5G"},
    "exponent": {"cpu": "1e0", "memory": "2e9"},
    "plain": {"cpu": "1", "memory": "1048576Ki"},
}


def test_quantities_in_any_spelling_are_no_difference(api: Api) -> None:
    """The API server answers with a spelling of its own; nobody writes because of it."""
    for name, limits in SPELLINGS.items():
        requests = {"cpu": "0.5", "memory": "536870912"}
        volumes = {"tmp": {"sizeLimit": "0.1Gi"}, "cache": {"sizeLimit": 500000000}}
        resources = {"limits": limits, "requests": requests}
        api.create(service(name, replicas=0, resources=resources, volumes=volumes))
    for name in SPELLINGS:
        ready(api, name)
    settle(1)
    since = position(api.cluster.audit_log)
    for name in SPELLINGS:
        api.patch("Deployment", name, {"metadata": {"labels": {"wake": "up"}}})
    settle(3)
    assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []


def test_an_older_operator_reads_on_after_the_crd_was_upgraded(api: Api) -> None:
    """A newer schema adds defaults to every stored object on read; what we do not know is named and passed over."""
    api.create(service("old"))
    ready(api, "old")
    crd = api.call("GET", CRD)
    newer = yaml.safe_load(yaml.safe_dump(crd))
    spec = newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    more = {"type": "string", "maxLength": 9, "default": "x"}
    spec["properties"]["flavour"] = more
    spec["properties"]["port"]["default"] = 8001
    spec["properties"]["autoscaling"]["properties"]["mood"] = more
    try:
        api.call("PUT", CRD, newer)
        until(lambda: api.get("WakalaService", "old")["spec"].get("flavour") == "x")
        api.patch("WakalaService", "old", {"spec": {"image": "wakala/api:2.0.0"}})
        api.create(service("new", autoscaling={"maxReplicas": 3}))
        for name in ("old", "new"):
            told = until(lambda name=name: _passed_over(api, name), every=0.5)  # type: ignore[misc]
            assert "spec.flavour" in told
            ready(api, name)
        assert "spec.autoscaling.mood" in told
        assert api.get("Service", "new")["spec"]["ports"][0]["port"] == 8001
        assert condition(api.get("WakalaService", "new"), "Stalled") == {}
    finally:
        current = api.call("GET", CRD)
        api.call("PUT", CRD, current | {"spec": crd["spec"]})


def _passed_over(api: Api, name: str) -> str:
    """What a service says is not known; touched before, as a watch that began under the old schema goes on under it."""
    touch = {"metadata": {"annotations": {"touched": str(time.monotonic())}}}
    status = api.patch("WakalaService", name, touch).get("status", {})
    told = [d["message"] for d in status.get("decisions", []) if d["reason"] == "FieldsUnknown"]
    return str(told[0]) if told else ""


def test_pods_that_pod_security_refuses_are_told(api: Api) -> None:
    """An older `restricted` refuses the newer of the safe network settings: the Deployment applies, and no pod comes."""
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "v1.28",
    }
    where = f"api/v1/namespaces/{api.namespace}"
    api.call("PATCH", where, {"metadata": {"labels": labels}}, kind="application/merge-patch+json")
    api.create(service("a"))
    told = until(
        lambda: (
            c
            if (c := condition(api.get("WakalaService", "a"), "Ready")).get("reason")
            == "PodsRefused"
            else None
        )
    )
    assert "sysctls" in told["message"]
    api.patch("WakalaService", "a", {"spec": {"sysctls": {}}})
    ready(api, "a")
