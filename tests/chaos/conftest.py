"""A cluster that may be harmed, a proxy before it, and an operator that goes through the proxy."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.support.api import Api, Refused, condition, install_crd, service
from tests.support.operator import Operator
from tests.support.proxy import Proxy


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for one file of tests, so that its harm stays there."""
    running = devcluster.start(tmp_path_factory.mktemp("chaos"))
    install_crd(running)
    yield running
    devcluster.stop(running)


@pytest.fixture
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    running = Proxy(cluster)
    yield running
    running.end()


Started = Callable[..., Operator]


@pytest.fixture
def start(proxy: Proxy, api: Api, tmp_path: Path) -> Iterator[Started]:
    """Starts operators that reach the API server through the proxy and look after the test's namespace."""
    running: list[Operator] = []

    def begin(**settings: str) -> Operator:
        log = tmp_path / f"operator-{len(running)}.log"
        own = {"watch_namespaces": api.namespace} | settings
        running.append(Operator(proxy.kubeconfig(tmp_path), log, **own))
        return running[-1]

    yield begin
    for operator in running:
        if operator.process.poll() is None:
            operator.stop()
        assert operator.tracebacks() == []


class History:
    """Every version of every service of a namespace, seen by a watch of the test's own that outlives any fault."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.versions: list[Any] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        since = ""
        while not self._over.is_set():
            try:
                if not since:
                    listed = self.api.call("GET", self.api.path("WakalaService"))
                    self.versions += listed["items"]
                    since = listed["metadata"]["resourceVersion"]
                events = self.api.events("WakalaService", since)
            except (OSError, ValueError, Refused):
                self._over.wait(0.2)
                continue
            if any(event["type"] == "ERROR" for event in events):
                since = ""
                continue
            self.versions += [event["object"] for event in events]
            since = events[-1]["object"]["metadata"]["resourceVersion"] if events else since

    def end(self) -> None:
        """Stop watching, and hold the invariant of every cell: Ready=True speaks of the generation beside it."""
        self._over.set()
        self._thread.join(40)
        for version in self.versions:
            told = condition(version, "Ready")
            if told.get("status") == "True" and told["reason"] != "Paused":
                seen = version["status"]["observedGeneration"]
                assert told["observedGeneration"] == seen <= version["metadata"]["generation"]


@pytest.fixture
def history(api: Api) -> Iterator[History]:
    seen = History(api)
    yield seen
    seen.end()
    assert seen.versions


def ready(api: Api, name: str) -> bool:
    """Whether Ready is True for the present generation."""
    found = api.get("WakalaService", name)
    told = condition(found, "Ready")
    generation = found["metadata"]["generation"]
    return bool(told.get("status") == "True" and told["observedGeneration"] == generation)


def small(name: str, **spec: Any) -> dict[str, Any]:
    """A service without pods, which is ready as soon as its objects are there."""
    return service(name, replicas=0, **spec)
