"""The operator is killed before and after each write of a pass, for each kind of work it does.

The writes of each scenario are counted once without harm. Then there is a namespace for each point at which it can die: the
proxy holds the write (before: it never reaches the API server; after: its answer never reaches the operator), and when each
namespace's service is held at its own point, the one process gets SIGKILL. A new one has to make all of them what the
undisturbed one made.
"""

import asyncio
import contextlib
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from tests.support.api import Api, condition, service
from tests.support.operator import Operator, settle
from tests.support.proxy import Answer, Asked, Fate, Proxy
from tests.support.state import listed, states, unlike, version, versions
from tests.support.until import until

pytestmark = pytest.mark.soak
PATIENCE = 90.0
"""Seconds for some dozens of services to be looked after, on a machine that is shared."""
QUIET = 0.7
"""Seconds without a write that show that nothing more comes."""
LOST = Answer(503, "Killed")
REPEATS = re.compile(r"(-handover|^DELETE .*) [2-9]$")
"""Writes that come again only where somebody else was faster: the hand-over names the version it saw, and a deletion is
asked for once more by a pass that has not heard of it."""
LAST = "PATCH wakalaservices/a/status 2"
"""The second status: what came of the writes."""
Step = Callable[[Api], object]


def _create(**spec: Any) -> Step:
    def step(api: Api) -> object:
        named = {"operatorClass": api.namespace.rpartition("-")[0], "replicas": 0}
        return api.create(service("a", **named | spec))

    return step


def _edit(**spec: Any) -> Step:
    return lambda api: api.patch("WakalaService", "a", {"spec": spec})


def _theirs(api: Api) -> object:
    """A Service of somebody else's that may be taken over."""
    annotations = {"wakala.com/adopt": "a", "theirs": "kept"}
    spec = {"ports": [{"name": "http", "port": 8000}], "selector": {"x": "y"}}
    metadata = {"name": "a", "annotations": annotations}
    return api.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def _secret(value: str) -> Step:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    return lambda api: api.apply(secret | {"stringData": {"url": value}})


@dataclass(frozen=True)
class Scenario:
    """What is there, and then what is asked for."""

    given: tuple[Step, ...]
    """Before: looked after in peace."""
    then: Step
    """What the operator dies over."""
    counts: tuple[int, int] = (0, 0)
    """Bounds of `spec.replicas` of the Deployment from then on."""


AUTO = {"minReplicas": 2, "maxReplicas": 3}
SIDECAR = {"spec": {"containers": [{"name": "side", "image": "proxy:1"}]}}
READS = {"database": {"connection": {"secretName": "db"}}}
SCENARIOS = {
    "create": Scenario((), _create()),
    "autoscaled": Scenario((), _create(autoscaling=AUTO), (2, 3)),
    "edit": Scenario(
        (_create(replicas=2),),
        _edit(port=9000, autoscaling=AUTO, podTemplatePatch=SIDECAR),
        (2, 3),
    ),
    "hand-over": Scenario((_create(replicas=3),), _edit(autoscaling=AUTO), (2, 3)),
    "take-back": Scenario(
        (_create(autoscaling=AUTO, replicas=3),), _edit(autoscaling=None), (2, 3)
    ),
    "prune": Scenario((_create(),), _edit(networkPolicy={"enabled": False})),
    "adopt": Scenario((_theirs,), _create()),
    "secret": Scenario((_secret("one"), _create(**READS)), _secret("two")),
}


@dataclass
class Run:
    """One service, and the write that its operator dies over; "" for none."""

    api: Api
    at: str = ""
    after: bool = False
    wrote: list[str] = field(default_factory=list)
    """Such as `PATCH deployments/a 2`: the second of its kind."""
    last: float = 0.0
    held: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.at} ({self.name})"

    @property
    def name(self) -> str:
        return self.api.namespace

    @property
    def due(self) -> bool:
        """Whether the last write is the one to die over."""
        return not self.held and self.wrote[-1] == self.at

    @property
    def quiet(self) -> bool:
        """Whether nothing was written for a while, after something was."""
        return bool(self.wrote) and time.monotonic() - self.last > QUIET

    def writes(self, asked: Asked) -> None:
        """Note one write."""
        manager = asked.query.get("fieldManager", "").removeprefix("wakala-operator")
        what = f"{asked.method} {asked.path.partition(self.name)[2][1:]}{manager}"
        before = sum(line.rpartition(" ")[0] == what for line in self.wrote)
        self.wrote.append(f"{what} {before + 1}")
        self.last = time.monotonic()


class Killing:
    """An operator behind a proxy that holds each service at its own point."""

    def __init__(self, cluster: Cluster, what: str, folder: Path) -> None:
        self.cluster = cluster
        self.what = what
        self.scenario = SCENARIOS[what]
        self.numbers = itertools.count()
        self.runs: dict[str, Run] = {}
        self.dead = threading.Event()
        self.proxy = Proxy(cluster)
        self.proxy.rule = self._before
        self.proxy.after = self._after
        where = self.proxy.kubeconfig(folder)
        own = {"operator_class": what, "workers": "64", "references_seconds": "1"}
        self.operator = Operator(where, folder / "log", lease="", **own)

    def given(self, points: list[tuple[str, bool]]) -> list[Run]:
        """A namespace for each point, in which all is well before `then`."""
        runs = []
        for at, after in points:
            name = f"{self.what}-{next(self.numbers)}"
            Api(self.cluster).call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
            runs.append(Run(Api(self.cluster, name), at, after))
            for step in self.scenario.given:
                step(runs[-1].api)
        services = sum(run.api.get("WakalaService", "a") is not None for run in runs)
        until(lambda: len(self.well(runs)) == services, within=PATIENCE)
        settle(QUIET)
        self.runs |= {run.name: run for run in runs}
        return runs

    def then(self, runs: list[Run]) -> None:
        """Ask for the change: first one pass that hears nothing of what comes of it, so that all write the same."""
        self.proxy.deaf = lambda asked: "/wakalaservices" not in asked.path
        for run in runs:
            self.scenario.then(run.api)
        until(lambda: all(run.held or run.quiet for run in runs), within=PATIENCE)
        until(lambda: self.rolled_out(runs), within=PATIENCE)
        self.proxy.deaf = lambda _: False

    def rolled_out(self, runs: list[Run]) -> bool:
        """Whether the pods of those that nothing held are all there."""
        names = {run.name for run in runs if not run.held}
        return all(
            (status := found["status"]).get("observedGeneration") == found["metadata"]["generation"]
            and status.get("updatedReplicas", 0) == found["spec"]["replicas"]
            and status.get("availableReplicas", 0)
            == status.get("replicas", 0)
            == found["spec"]["replicas"]
            for found in listed(self.cluster, "Deployment")
            if found["metadata"]["namespace"] in names
        )

    def well(self, runs: list[Run]) -> set[str]:
        """Namespaces whose service is Ready as it is now."""
        return {run.name for run in runs} & {
            found["metadata"]["namespace"]
            for found in listed(self.cluster, "WakalaService")
            if (told := condition(found, "Ready")).get("status") == "True"
            and told["observedGeneration"] == found["metadata"]["generation"]
        }

    def again(self) -> None:
        """Kill the operator, let go of what is held, start it anew."""
        self.operator.kill()
        self.dead.set()
        self.operator.start()

    def _run(self, asked: Asked) -> Run | None:
        parts = asked.path.split("/")
        named = asked.writes and "namespaces" in parts
        return self.runs.get(parts[parts.index("namespaces") + 1]) if named else None

    async def _before(self, asked: Asked) -> Fate:
        if (run := self._run(asked)) is None:
            return None
        run.writes(asked)
        if not run.due or run.after:
            return None
        await self._hold(run)
        return LOST

    async def _after(self, asked: Asked) -> None:
        run = self._run(asked)
        if run is not None and run.due and run.after:
            await self._hold(run)

    async def _hold(self, run: Run) -> None:
        run.held = True
        while not self.dead.is_set():  # noqa: ASYNC110 - set by the test's thread
            await asyncio.sleep(0.02)

    def end(self) -> None:
        self.dead.set()
        self.operator.kill()
        self.proxy.end()


@pytest.fixture
def killing(cluster: Cluster, what: str, tmp_path: Path) -> Iterator[Killing]:
    running = Killing(cluster, what, tmp_path)
    yield running
    running.end()
    assert running.operator.tracebacks() == []


@pytest.mark.parametrize("what", SCENARIOS)
def test_killed_before_and_after_each_write(killing: Killing, what: str) -> None:
    (calm,) = killing.given([("", False)])
    killing.then([calm])
    until(lambda: LAST in calm.wrote and calm.quiet and killing.well([calm]), within=PATIENCE)
    good = states(killing.cluster, {calm.name})[calm.name]
    points = [line for line in calm.wrote if not REPEATS.search(line)]
    assert len(points) >= 4, points
    runs = killing.given([(at, after) for at in points for after in (False, True)])
    since = {kind: version(killing.cluster, kind) for kind in ("WakalaService", "Deployment")}
    killing.then(runs)
    none_left(lambda: {str(run): run.wrote for run in runs if not run.held})
    killing.again()
    none_left(lambda: _unlike(killing, runs, good))
    told = versions(killing.cluster, "WakalaService", since["WakalaService"])
    made = versions(killing.cluster, "Deployment", since["Deployment"])
    for run in runs:
        here = [obj for obj in made if obj["metadata"]["namespace"] == run.name]
        _counts_keep_to(killing.scenario.counts, here)
        services = [obj for obj in told if obj["metadata"]["namespace"] == run.name]
        _ready_is_true(services, here if what != "secret" else [])
        log = run.api.get("WakalaService", "a")["status"].get("decisions", [])
        assert len({(entry["reason"], entry["message"]) for entry in log}) == len(log), log
    none_left(lambda: {str(run): run.wrote[-1] for run in runs if not run.quiet})


def none_left(ask: Callable[[], Any]) -> None:
    """Wait until `ask` answers with nothing; shows what is left otherwise."""
    with contextlib.suppress(AssertionError):
        until(lambda: not ask(), within=PATIENCE, every=0.2)
    assert not (left := ask()), left


def _unlike(killing: Killing, runs: list[Run], good: Any) -> dict[str, Any]:
    """Where what has become of each service differs from what the undisturbed operator made of it."""
    found = states(killing.cluster, {run.name for run in runs})
    lines = {str(run): unlike(found[run.name], good) for run in runs}
    return {run: differing for run, differing in lines.items() if differing}


def _counts_keep_to(bounds: tuple[int, int], deployments: list[Any]) -> None:
    """No version of the Deployment has fewer or more pods than the spec allows."""
    counts = [found["spec"]["replicas"] for found in deployments]
    assert all(bounds[0] <= count <= bounds[1] for count in counts), counts


def _ready_is_true(services: list[Any], deployments: list[Any]) -> None:
    """Ready=True speaks of one generation, and for the last one only when the Deployment is what it asks for."""
    last = max((found["metadata"]["generation"] for found in services), default=0)
    for found in services:
        told = condition(found, "Ready")
        if told.get("status") != "True":
            continue
        seen = found["status"]["observedGeneration"]
        assert told["observedGeneration"] == seen <= found["metadata"]["generation"]
        earlier = [d for d in deployments if _version(d) < _version(found)]
        if seen == last and deployments:
            assert earlier[-1]["spec"]["template"] == deployments[-1]["spec"]["template"]


def _version(obj: Any) -> int:
    return int(obj["metadata"]["resourceVersion"])
