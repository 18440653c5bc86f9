"""Services of a real cluster, applied as people apply them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from devcluster.binaries import binary
from devcluster.cluster import Cluster
from tests.cli.run import Ran, run, wakala
from tests.support.api import Api, condition
from tests.support.until import until


@dataclass(frozen=True)
class Here:
    """The command line in one namespace of a cluster, as its admin."""

    api: Api
    kubeconfig: Path

    def wakala(self, *words: str | Path, **more: Any) -> Ran:
        """A command that asks the cluster."""
        reach = ("-n", self.api.namespace, "--kubeconfig", self.kubeconfig)
        return wakala(words[0], *reach, *words[1:], **more)

    def kubectl(self, *words: str | Path, **more: Any) -> str:
        """The real kubectl, in the same namespace."""
        reach = ("--kubeconfig", self.kubeconfig, "-n", self.api.namespace)
        ran = run(binary("kubectl"), *reach, *map(str, words), **more)
        assert ran.code == 0, ran.err
        return ran.out

    def settled(self, name: str) -> Any:
        """The service once the operator is done with its present generation, one way or the other."""

        def ask() -> Any:
            found = self.api.get("WakalaService", name)
            told = condition(found, "Ready")
            current = told.get("observedGeneration") == found["metadata"]["generation"]
            return found if current and not condition(found, "Reconciling") else None

        return until(ask, within=30)


@pytest.fixture
def here(api: Api, cluster: Cluster, operator: Any) -> Here:
    """A fresh namespace of the cluster on which the operator runs."""
    return Here(api, cluster.kubeconfig)


@pytest.fixture
def stranger(cluster: Cluster, api: Api, tmp_path: Path) -> Path:
    """A kubeconfig of somebody without any right: the namespace's own ServiceAccount."""
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    path = api.path("ServiceAccount", "default") + "/token"
    token = api.call("POST", path, asked)["status"]["token"]
    return kubeconfig(tmp_path, cluster.server, str(cluster.ca), token)


def kubeconfig(directory: Path, server: str, ca: str, token: str) -> Path:
    """A kubeconfig for one user of one cluster."""
    file = directory / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Write a service into a file; JSON is YAML."""

    def write(name: str, **spec: Any) -> Path:
        file = tmp_path / f"{name}.yaml"
        content = {
            "apiVersion": "wakala.com/v1alpha1",
            "kind": "WakalaService",
            "metadata": {"name": name},
            "spec": {"image": "wakala/api:1.0.0", "replicas": 2} | spec,
        }
        file.write_text(json.dumps(content, indent=1))
        return file

    return write
