"""One real cluster for all tests of a run; a namespace for each test that asks for one."""

import itertools
from collections.abc import Iterator

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.support.api import Api, install_crd
from tests.support.operator import Operator
from tests.support.until import until

_numbers = itertools.count()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster with the CRD installed."""
    running = devcluster.start(tmp_path_factory.mktemp("cluster"))
    install_crd(running)
    yield running
    devcluster.stop(running)


@pytest.fixture
def api(cluster: Cluster, request: pytest.FixtureRequest) -> Api:
    """The admin's view of a fresh namespace."""
    name = f"t{next(_numbers)}"
    everywhere = Api(cluster)
    everywhere.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
    here = Api(cluster, name)
    until(lambda: here.get("ServiceAccount", "default"))
    return here


@pytest.fixture(scope="session")
def operator(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """The operator, running over all namespaces."""
    running = Operator(cluster.kubeconfig, tmp_path_factory.mktemp("operator") / "log")
    yield running
    assert running.stop() == 0
    assert running.tracebacks() == []
