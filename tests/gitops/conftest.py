"""Argo CD's and Flux's own judgement over the shared cluster, and clusters of these tests' own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.gitops.life import Life, lived
from tests.gitops.tools import Tool
from tests.operator.test_gitops import kubectl
from tests.support.api import Api
from tests.support.operator import Operator
from tests.support.until import until

EXAMPLES = Path(__file__).parents[2] / "examples"
GITOPS = EXAMPLES / "gitops"


def namespace(everywhere: Api, name: str) -> Api:
    """The admin's view of a new namespace."""
    everywhere.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
    here = Api(everywhere.cluster, name)
    until(lambda: here.get("ServiceAccount", "default"))
    return here


def argo_of(cluster: Cluster) -> Tool:
    """Argo CD with the settings of our example, put where it reads them."""
    here = namespace(Api(cluster), "argocd")
    kubectl(here, "apply", "--server-side", "-f", str(GITOPS / "argocd" / "argocd-cm.yaml"))
    return Tool("argocd", cluster.kubeconfig, here.namespace)


@pytest.fixture(scope="session")
def argo(cluster: Cluster) -> Iterator[Tool]:
    """Argo CD's application controller, as far as it judges."""
    with argo_of(cluster) as tool:
        yield tool


@pytest.fixture(scope="session")
def flux(cluster: Cluster) -> Iterator[Tool]:
    """Flux's kustomize-controller, as far as it judges."""
    with Tool("flux", cluster.kubeconfig) as tool:
        yield tool


@pytest.fixture(scope="session")
def expressions() -> dict[str, str]:
    """The CEL of our example for Flux."""
    documents = yaml.safe_load_all((GITOPS / "flux" / "team-with-expressions.yaml").read_text())
    (found,) = [d for d in documents if d["kind"] == "Kustomization"]
    (check,) = found["spec"]["healthCheckExprs"]
    assert (check.pop("apiVersion"), check.pop("kind")) == ("wakala.com/v1alpha1", "WakalaService")
    return dict(check)


@pytest.fixture(scope="session")
def life(cluster: Cluster, operator: Operator) -> Life:
    """A few services' lives, over."""
    return lived(namespace(Api(cluster), "gitops-life"))


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster without the CRD that nothing else uses."""
    running = devcluster.start(tmp_path / "cluster")
    yield running
    devcluster.stop(running)
