"""etcd is full, for real: no write is taken until somebody makes room. The operator says so, waits, and nothing is lost."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.chaos.conftest import ready, small
from tests.support.api import Api, Refused, install_crd
from tests.support.operator import Operator
from tests.support.state import states, unlike
from tests.support.until import until

QUOTA = 16 * 2**20
"""Bytes; a new cluster takes one of its sixteen MiB."""
FULL = "database space exceeded"
RIGHT_AGAIN = 60.0
"""Seconds after there is room; a service that failed for as long as the test keeps it full waits up to half of that."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = devcluster.start(
        tmp_path_factory.mktemp("full"), nodes=1, etcd=[f"--quota-backend-bytes={QUOTA}"]
    )
    install_crd(running)
    yield running
    devcluster.stop(running)


class Etcd:
    """etcd itself, through its JSON gateway."""

    def __init__(self, cluster: Cluster) -> None:
        command = json.loads((cluster.directory / "plan.json").read_text())["first"]["etcd"]
        (url,) = (flag for flag in command if flag.startswith("--listen-client-urls="))
        self.url = url.partition("=")[2]

    def call(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(
            f"{self.url}/v3/{path}", data=json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def make_room(self) -> None:
        """What a person does: forget old versions, give back their pages, lift the alarm."""
        told = self.call("maintenance/status")["header"]
        self.call("kv/compaction", revision=told["revision"], physical=True)
        self.call("maintenance/defragment")
        alarm = {"memberID": told["member_id"], "alarm": "NOSPACE"}
        self.call("maintenance/alarm", action="DEACTIVATE", **alarm)


def fill(api: Api) -> int:
    """Write until no write is taken; how many objects went in."""
    for number in range(1000):
        size = 900 * 1024 if number < QUOTA // (900 * 1024) else 1024
        data = {"filler": f"{number}".ljust(size, "x")}
        try:
            api.create(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"filler-{number}"},
                    "data": data,
                }
            )
        except Refused as refusal:
            assert FULL in refusal.message
            return number
    raise AssertionError("etcd took everything")


def refused(api: Api) -> bool:
    """Whether a small write is refused for want of room."""
    try:
        api.patch("WakalaService", "a", {"metadata": {"annotations": {"tried": "1"}}})
    except Refused as refusal:
        return FULL in refusal.message
    return False


class Story:
    """An operator over two services, and then etcd is filled and an object deleted, which asks for a write."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.api = Api(cluster, "full")
        self.api.call("POST", "api/v1/namespaces", {"metadata": {"name": "full"}})
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        where = {"watch_namespaces": "full", "health_port": str(self.port)}
        self.operator = Operator(cluster.kubeconfig, folder / "log", **where)
        for name in ("a", "b"):
            self.api.create(small(name))
        until(lambda: ready(self.api, "a") and ready(self.api, "b"))
        self.before = states(cluster, {"full"})
        self.fillers = fill(self.api)
        until(lambda: refused(self.api))
        self.api.delete("PodDisruptionBudget", "a")

    def page(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def measured(self, series: str) -> float:
        lines = [line for line in self.page("/metrics").splitlines() if line.startswith(series)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def says(self, *words: str) -> bool:
        """Whether one line of the log has all of these."""
        return any(all(word in line for word in words) for line in self.operator.lines())


@pytest.fixture(scope="module")
def story(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    running = Story(cluster, tmp_path_factory.mktemp("story"))
    yield running
    assert running.operator.stop() == 0
    assert running.operator.tracebacks() == []


def test_it_tells_that_it_waits_and_leads_no_longer(story: Story) -> None:
    """A Lease that can't be renewed is not held: the other processes of an installation see it the same way."""
    until(lambda: story.measured('wakala_api_requests_total{code="500"') > 2)
    until(lambda: story.says("waiting: ApiServerUnavailable", "500"))
    until(lambda: story.says("leads no longer", "500"), within=20)
    assert story.measured("wakala_leader") == 0
    assert story.page("/healthz") == story.page("/readyz") == "ok\n"


def test_it_tells_why(story: Story) -> None:
    until(lambda: story.says("waiting: ApiServerUnavailable", FULL), within=15)
    until(lambda: story.says("leads no longer", FULL), within=20)


def test_with_room_everything_becomes_right_and_nothing_was_lost(
    story: Story, cluster: Cluster
) -> None:
    api, process = story.api, story.operator.process.pid
    for number in range(story.fillers):
        api.delete("ConfigMap", f"filler-{number}")
    assert refused(api), "deleting alone gives no room"
    Etcd(cluster).make_room()
    until(lambda: not refused(api))
    until(lambda: api.get("PodDisruptionBudget", "a"), within=RIGHT_AGAIN)
    until(lambda: ready(api, "a") and ready(api, "b"))
    assert unlike(states(cluster, {"full"}), story.before) == []
    api.patch("WakalaService", "b", {"spec": {"port": 9000}})
    api.create(small("c"))
    until(lambda: ready(api, "b") and ready(api, "c"))
    assert api.get("Service", "b")["spec"]["ports"][0]["port"] == 9000
    assert story.operator.process.pid == process
    assert story.measured("wakala_leader") == 1
