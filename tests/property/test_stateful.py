"""Whatever is done to services, in whatever order, and whenever the operator dies: in the end they are what their specs say.

Hypothesis draws the story. At its end a second operator makes the same services from nothing, and both have to look the same.
"""

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from devcluster.cluster import Cluster
from tests.operator.test_life import DAMAGE, child_name
from tests.support.api import CHILDREN, Api, Refused, condition, service
from tests.support.operator import Operator, settle
from tests.support.state import listed, states, unlike
from tests.support.until import until

BOUNDED = settings(
    max_examples=6,
    stateful_step_count=24,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),  # a story that fails takes too long to be made shorter
    suppress_health_check=list(HealthCheck),
)
SETTLED = 45.0
"""Seconds after the last step; a service that failed for a while waits up to half of that."""
MOST_DAMAGE = 3
"""Of one kind of object: what is put right five times in ten minutes is contested, and then put right once a minute."""
SIDECAR = {"spec": {"containers": [{"name": "side", "image": "proxy:1"}]}}
AUTO = {"minReplicas": 1, "maxReplicas": 2}
ONE_OF = st.sampled_from
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "image": ONE_OF(["wakala/api:1.0.0", "wakala/api:2.0.0"]),
        "port": ONE_OF([8000, 9000]),
        "replicas": ONE_OF([0, 1, 2]),
        "autoscaling": ONE_OF([None, AUTO, AUTO | {"minReplicas": 2}]),
        "networkPolicy": ONE_OF([{"enabled": False}, {"enabled": True}, None]),
        "env": ONE_OF([None, [{"name": "A", "value": "1"}], [{"name": "B", "value": "2"}]]),
        "podTemplatePatch": ONE_OF([None, SIDECAR]),
        "runtime": ONE_OF([None, {"workers": 2}]),
        "disruption": ONE_OF([None, {"maxUnavailable": 2}]),
        "cache": ONE_OF([None, {"connection": {"secretName": "absent"}}]),
    },
)
SERVICES = st.integers(0, 2)
KINDS = ONE_OF(CHILDREN)
PACE = ONE_OF([0.0, 0.3, 1.0])
"""Seconds after a step, so that the next one comes before, amid and after what the operator makes of it."""


class Story(RuleBasedStateMachine):
    """Three services, each in a namespace of its own, and one operator."""

    cluster: Cluster
    operator: Operator
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.homes = [self.home("story") for _ in range(3)]
        self.there: set[int] = set()
        self.damaged: Counter[tuple[int, str]] = Counter()
        self.dead_for = 0

    def home(self, what: str) -> Api:
        name = f"{what}-{next(self.numbers)}"
        Api(self.cluster).call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
        return Api(self.cluster, name)

    def make(self, number: int, spec: dict[str, Any]) -> None:
        given = {name: value for name, value in spec.items() if value is not None}
        base = {"replicas": 1, "operatorClass": "story"}
        self.homes[number].create(service("a", **base | given))
        self.there.add(number)

    @initialize(specs=st.lists(CHANGES, min_size=3, max_size=3))
    def begin(self, specs: list[dict[str, Any]]) -> None:
        for number, spec in enumerate(specs):
            self.make(number, spec)

    @rule(number=SERVICES, spec=CHANGES, pace=PACE)
    def edit(self, number: int, spec: dict[str, Any], pace: float) -> None:
        """Of several fields; of a service that was deleted: it is made anew."""
        if number in self.there:
            self.homes[number].patch("WakalaService", "a", {"spec": spec})
        else:
            self.make(number, spec)
        settle(pace)

    @rule(number=SERVICES, paused=st.booleans(), pace=PACE)
    def pause(self, number: int, paused: bool, pace: float) -> None:
        if number in self.there:
            self.homes[number].patch("WakalaService", "a", {"spec": {"paused": paused}})
            settle(pace)

    @rule(number=SERVICES, replicas=ONE_OF([0, 1, 2]), pace=PACE)
    def scale(self, number: int, replicas: int, pace: float) -> None:
        if number in self.there:
            change = {"spec": {"replicas": replicas}}
            self.homes[number].patch("WakalaService", "a", change, sub="scale")
            settle(pace)

    @rule(number=SERVICES)
    def delete(self, number: int) -> None:
        if number in self.there:
            self.homes[number].delete("WakalaService", "a")
            self.there.remove(number)

    @rule(number=SERVICES, kind=KINDS, pace=PACE)
    def damage_a_child(self, number: int, kind: str, pace: float) -> None:
        if self.damaged[number, kind] < MOST_DAMAGE:
            self.damaged[number, kind] += 1
            with contextlib.suppress(Refused):  # it is not there, or not any more
                self.homes[number].patch(kind, child_name(kind, "a"), DAMAGE[kind][0])
                settle(pace)

    @rule(number=SERVICES, kind=KINDS, pace=PACE)
    def delete_a_child(self, number: int, kind: str, pace: float) -> None:
        with contextlib.suppress(Refused):
            self.homes[number].delete(kind, child_name(kind, "a"))
            settle(pace)

    @precondition(lambda self: not self.dead_for)
    @rule(steps=st.integers(1, 4))
    def kill(self, steps: int) -> None:
        """It is away for so many steps."""
        self.operator.kill()
        self.dead_for = steps

    @invariant()
    def the_dead_come_back(self) -> None:
        if self.dead_for:
            self.dead_for -= 1
            if not self.dead_for:
                self.operator.start()

    @invariant()
    def ready_speaks_of_one_generation(self) -> None:
        for found in listed(self.cluster, "WakalaService"):
            told = condition(found, "Ready")
            if told.get("status") == "True":
                seen = found["status"]["observedGeneration"]
                assert told["observedGeneration"] == seen <= found["metadata"]["generation"]

    def teardown(self) -> None:
        """Everything settles, and then it is what a fresh start makes of the same specs."""
        if self.operator.process.poll() is not None:
            self.operator.start()
        mirrors: dict[str, str] = {}
        for number in self.there:
            here = self.homes[number]
            here.patch("WakalaService", "a", {"spec": {"paused": False}})
            spec = here.get("WakalaService", "a")["spec"] | {"operatorClass": "mirror"}
            mirror = self.home("mirror")
            mirror.create({**service("a"), "spec": spec})
            mirrors[here.namespace] = mirror.namespace

        def wrong() -> dict[str, list[str]]:
            found = states(self.cluster, {*mirrors, *mirrors.values()})
            lines = {
                one: unlike(_same(found[one]), _same(found[other])) + _unwell(found[one])
                for one, other in mirrors.items()
            }
            return {one: differing for one, differing in lines.items() if differing}

        with contextlib.suppress(AssertionError):
            until(lambda: not wrong(), within=SETTLED, every=0.2)
        assert not (left := wrong()), left
        until(lambda: [a.namespace for a in self.homes if _left(a)] == sorted(mirrors), within=60)


def _left(api: Api) -> list[Any]:
    """Objects of services in a namespace; a deleted service's are collected by the cluster."""
    return [f for kind in CHILDREN for f in api.list(kind, labelSelector="wakala.com/service")]


def _unwell(state: dict[str, Any]) -> list[str]:
    """Why this is not settled."""
    ready = [c for c in state["status"].get("conditions", []) if c["type"] == "Ready"]
    return [] if ready and ready[0]["status"] == "True" else [f"not Ready: {ready}"]


def _same(state: dict[str, Any]) -> dict[str, Any]:
    """Without what tells how often something was changed, and without a count that is the autoscaler's."""
    state = {name: value for name, value in state.items() if name != "ReplicaSets"}
    status = {k: v for k, v in state["status"].items() if k != "observedGeneration"}
    status["conditions"] = [
        {k: v for k, v in found.items() if k != "observedGeneration"}
        for found in status.get("conditions", [])
    ]
    if scaler := state.get("HorizontalPodAutoscaler a"):
        status = {k: v for k, v in status.items() if k not in {"replicas", "readyReplicas"}}
        for found in status["conditions"]:
            found["message"] = ""
        deployment = state.get("Deployment a", {"spec": {"replicas": -1}, "managers": {}})
        low, high = scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]
        within = low <= deployment["spec"]["replicas"] <= high
        managers = {
            k: v for k, v in deployment["managers"].items() if not k.startswith("wakala-operator-h")
        }
        spec = deployment["spec"] | {"replicas": within}
        state["Deployment a"] = deployment | {"spec": spec, "managers": managers}
    return state | {"status": status}


@pytest.fixture
def operators(cluster: Cluster, tmp_path: Path) -> Iterator[Operator]:
    """The one of the story; and one that nothing ever happens to, which makes the mirrors."""
    mirror = Operator(cluster.kubeconfig, tmp_path / "mirror", lease="", operator_class="mirror")
    story = Operator(cluster.kubeconfig, tmp_path / "story", lease="", operator_class="story")
    yield story
    mirror.stop()
    story.kill()
    assert story.tracebacks() == mirror.tracebacks() == []


def test_every_story_ends_well(cluster: Cluster, operators: Operator) -> None:
    class Here(Story):
        """The story on this cluster."""

    Here.cluster, Here.operator = cluster, operators
    run_state_machine_as_test(Here, settings=BOUNDED)
