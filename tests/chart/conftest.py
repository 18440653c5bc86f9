"""A cluster of these tests' own, on which the charts are installed by helm and the operator runs with their rights."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster import cluster as devcluster
from devcluster.binaries import binary
from devcluster.cluster import Cluster
from tests.support.api import Api, served
from tests.support.until import until

CHARTS = Path(__file__).parents[2] / "charts"
NAMESPACE = "wakala-system"


@dataclass(frozen=True)
class Helm:
    """The real helm, on one cluster."""

    cluster: Cluster

    def run(self, *words: str, good: bool = True) -> str:
        """Run a helm command; its output and errors together."""
        ran = subprocess.run(
            [str(binary("helm")), *words, "--kubeconfig", str(self.cluster.kubeconfig)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode == 0) == good, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    def install(self, chart: str, *words: str, good: bool = True) -> str:
        """Install or upgrade one of our charts under its own name."""
        where = ["-n", NAMESPACE, "--create-namespace"]
        return self.run(
            "upgrade", "--install", chart, str(CHARTS / chart), *where, *words, good=good
        )


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that nothing else uses."""
    running = devcluster.start(tmp_path_factory.mktemp("chart-cluster"))
    yield running
    devcluster.stop(running)


@pytest.fixture(scope="module")
def helm(own_cluster: Cluster) -> Helm:
    return Helm(own_cluster)


@pytest.fixture(scope="module")
def admin(own_cluster: Cluster) -> Api:
    return Api(own_cluster)


@pytest.fixture(scope="module")
def installed(helm: Helm, admin: Api) -> str:
    """Both charts; the name of the operator's ServiceAccount."""
    helm.install("wakala-crds")
    helm.install("wakala-operator", "--set", "log.format=text")
    until(lambda: served(admin))
    return "wakala-operator"


def account_kubeconfig(admin: Api, account: str, folder: Path) -> Path:
    """A kubeconfig with a token of the ServiceAccount, as its pod would hold one."""
    path = f"api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = admin.call("POST", path, asked)["status"]["token"]
    config = yaml.safe_load(admin.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    target = folder / "account.kubeconfig"
    target.write_text(json.dumps(config))
    return target


def granted(rules: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    """(group, resource, verb) of RBAC rules."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
