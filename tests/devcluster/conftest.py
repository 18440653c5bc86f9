"""One cluster for the tests that only use it; those that end clusters start their own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client, config

from devcluster.cluster import Cluster, start, stop


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A running cluster of two nodes."""
    running = start(tmp_path_factory.mktemp("devcluster"), nodes=2)
    yield running
    stop(running)


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[client.ApiClient]:
    """Its admin's client."""
    with config.new_client_from_config(str(cluster.kubeconfig)) as reach:
        yield reach


@pytest.fixture
def processes() -> Callable[[Path], dict[int, str]]:
    """The processes whose command line names a folder: pid and program."""

    def found(directory: Path) -> dict[int, str]:
        there = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().decode().split("\0")
            except OSError:
                continue
            if any(str(directory) in word for word in command):
                there[int(entry.name)] = Path(command[0]).name
        return there

    return found
