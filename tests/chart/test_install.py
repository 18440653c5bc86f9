"""The charts' life: installed, upgraded, refused with values that make no sense, uninstalled in the documented order."""

import subprocess
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from tests.chart.conftest import CHARTS, NAMESPACE, Helm
from tests.support.api import Api, Refused, service
from tests.support.until import until


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        ("replicas=0", "replicas"),
        ("serviceMonitor.interval=often", "interval"),
        ("workers=0", "workers"),
        ("workers=many", "workers"),
        ("log.format=xml", "format"),
        ("log.level=LOUD", "level"),
        ("operatorClass=Not A Name", "operatorClass"),
        ("watchNamespaces={UPPER}", "watchNamespaces"),
        ("image.digest=sha256:short", "digest"),
        ("resyncSeconds=-1", "resyncSeconds"),
        ("networkPolicy.apiServerPorts={0}", "apiServerPorts"),
        ("replicaCount=3", "replicaCount"),
        ("image.repo=typo", "repo"),
    ],
)
def test_values_that_make_no_sense_are_refused(helm: Helm, words: str, fragment: str) -> None:
    said = helm.install("wakala-operator", "--set", words, "--dry-run=client", good=False)
    assert fragment in said


def test_the_life_of_the_charts(helm: Helm, admin: Api) -> None:
    helm.install("wakala-crds")
    helm.install("wakala-operator")
    operator = Api(admin.cluster, NAMESPACE)
    until(
        lambda: (
            operator.get("Deployment", "wakala-operator")["status"].get("availableReplicas") == 2
        )
    )
    helm.install("wakala-operator", "--set", "workers=4", "--set", "operatorClass=blue")

    def settings() -> dict[str, Any]:
        container = operator.get("Deployment", "wakala-operator")["spec"]["template"]["spec"][
            "containers"
        ][0]
        return {entry["name"]: entry.get("value") for entry in container["env"]}

    assert settings()["WAKALA_WORKERS"] == "4"
    assert settings()["WAKALA_OPERATOR_CLASS"] == "blue"
    until(lambda: _create(admin))
    helm.run("uninstall", "wakala-operator", "-n", NAMESPACE)
    helm.run("uninstall", "wakala-crds", "-n", NAMESPACE)
    until(lambda: not _labelled(admin), within=20)
    assert admin.get("WakalaService", "stays") is not None, "services survive an uninstall"
    admin.call(
        "DELETE", "apis/apiextensions.k8s.io/v1/customresourcedefinitions/wakalaservices.wakala.com"
    )
    until(lambda: _gone(admin))


def _create(admin: Api) -> bool:
    try:
        admin.create(service("stays"))
    except Refused:
        return False
    return True


def _labelled(admin: Api) -> list[str]:
    """What is left of the releases, the CRD and namespaced leftovers of helm aside."""
    left = []
    query = {"labelSelector": "app.kubernetes.io/name=wakala-operator"}
    for path in (
        "apis/rbac.authorization.k8s.io/v1/clusterroles",
        "apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
        "apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
        "apis/networking.k8s.io/v1/networkpolicies",
        "apis/apps/v1/deployments",
        "api/v1/serviceaccounts",
        "api/v1/pods",
    ):
        left += [item["metadata"]["name"] for item in admin.call("GET", path, **query)["items"]]
    return left


def _gone(admin: Api) -> bool:
    try:
        admin.list("WakalaService")
    except Refused:
        return True
    return False


def test_the_operator_passes_pod_security_restricted(helm: Helm, admin: Api) -> None:
    """As a pod in a namespace that enforces it; the Deployment alone would be admitted anyhow."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    admin.call("POST", "api/v1/namespaces", {"metadata": {"name": "strict", "labels": labels}})
    rendered = helm.run("template", "w", str(CHARTS / "wakala-operator"), "-n", "strict")
    deployment = next(d for d in yaml.safe_load_all(rendered) if d and d["kind"] == "Deployment")
    pod = deployment["spec"]["template"]
    pod["spec"].pop("serviceAccountName")
    strict = Api(admin.cluster, "strict")
    until(lambda: strict.get("ServiceAccount", "default"))
    strict.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "o"}, "spec": pod["spec"]}
    )


def test_the_plain_rendering_is_what_kustomize_builds(admin: Api) -> None:
    built = subprocess.run(
        [str(binary("kubectl")), "kustomize", str(CHARTS / "rendered")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kinds = [d["kind"] for d in yaml.safe_load_all(built) if d]
    assert {"Namespace", "CustomResourceDefinition", "Deployment", "ClusterRole"} <= set(kinds)
