"""The API server fails in every way it can: the operator waits, comes back, and the status stays true."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.chaos.conftest import History, Started, ready, small
from tests.support.api import CHILDREN, Api, condition
from tests.support.operator import settle
from tests.support.proxy import Answer, Asked, Proxy
from tests.support.until import until

KINDS = {
    "wakalaservices", "serviceaccounts", "configmaps", "deployments", "services",
    "horizontalpodautoscalers", "poddisruptionbudgets", "networkpolicies",
}  # fmt: skip
TWO_PASSES = 15.0
"""Seconds in which a service that waits is looked at twice after the API server is well again."""


def resource(asked: Asked) -> str:
    """The plural of what a request is about."""
    parts = asked.path.split("/")
    return next((part for part in parts if part in KINDS), "")


def lease(asked: Asked) -> bool:
    return "/leases" in asked.path


@pytest.fixture
def settled(api: Api, start: Started, history: History) -> Callable[[str], Any]:
    """A service that is ready, under an operator that goes through the proxy."""
    start()

    def make(name: str) -> Any:
        api.create(small(name, autoscaling=None))
        until(lambda: ready(api, name))
        return api.get("WakalaService", name)

    return make


def changed(api: Api, name: str, port: int) -> None:
    """A wish and a damage: both must be found right later on."""
    api.patch("WakalaService", name, {"spec": {"port": port}})
    api.delete("PodDisruptionBudget", name)


def right(api: Api, name: str, port: int) -> bool:
    service, budget = api.get("Service", name), api.get("PodDisruptionBudget", name)
    there = service and budget and service["spec"]["ports"][0]["port"] == port
    return bool(there and ready(api, name))


@pytest.mark.parametrize("seconds", [30, pytest.param(360, marks=pytest.mark.soak)])
def test_the_api_server_is_away(
    cluster: Cluster, api: Api, settled: Callable[[str], Any], seconds: int
) -> None:
    """It is ended for real and started again; what changed right before and right after is found."""
    settled("a")
    changed(api, "a", 9000)
    with devcluster.without(cluster, "kube-apiserver"):
        settle(seconds)
    with devcluster.without(cluster, "kube-controller-manager"):
        pass  # it would wait half a minute before it looks again, and it is not what is tried here
    api.create(small("b"))
    until(lambda: right(api, "a", 9000) and ready(api, "b"), within=TWO_PASSES)
    changed(api, "a", 9001)
    until(lambda: right(api, "a", 9001), within=TWO_PASSES)


def test_the_api_server_hangs(
    api: Api, cluster: Cluster, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """Every request is taken and none is answered, longer than the Lease holds: it stands by, and leads again."""
    settled("a")
    proxy.rule = lambda _: 60.0
    changed(api, "a", 9000)
    settle(12)
    proxy.rule = lambda _: None
    until(lambda: right(api, "a", 9000), within=45)


@pytest.mark.parametrize("asks", [1, 3])
def test_a_storm_of_429_is_heeded(
    api: Api, proxy: Proxy, settled: Callable[[str], Any], asks: int
) -> None:
    """As many seconds as the API server asks for pass between two requests of all passes together."""
    for name in ("a", "b", "c", "d"):
        settled(name)
    storm = Answer(429, "TooManyRequests", {"Retry-After": str(asks)})
    proxy.rule = lambda asked: storm if not asked.watches and not lease(asked) else None
    since = len(proxy.asked)
    for name in ("a", "b", "c", "d"):
        changed(api, name, 9000)
    settle(8)
    sent = [asked for asked in proxy.asked[since:] if not asked.watches and not lease(asked)]
    # Each refusal holds everybody back; the few that were under way with the first one are allowed for.
    assert 0 < len(sent) <= 8 / asks * 4 + 16, [asked.path for asked in sent]
    proxy.rule = lambda _: None
    for name in ("a", "b", "c", "d"):
        until(lambda name=name: right(api, name, 9000), within=TWO_PASSES + asks)  # type: ignore[misc]


def test_a_storm_of_5xx_is_waited_out_ever_more_patiently(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    settled("a")
    answers = {500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout"}
    turn = iter([500, 503, 504] * 10_000)

    def storm(asked: Asked) -> Answer | None:
        code = next(turn)
        return None if asked.watches or lease(asked) else Answer(code, answers[code])

    proxy.rule = storm
    since = len(proxy.asked)
    changed(api, "a", 9000)
    settle(4)
    first = sum(resource(a) != "" and not a.watches for a in proxy.asked[since:])
    since = len(proxy.asked)
    settle(4)
    second = sum(resource(a) != "" and not a.watches for a in proxy.asked[since:])
    assert first > second > 0 or (first > 0 and second == 0), "it tries less and less often"
    proxy.rule = lambda _: None
    until(lambda: right(api, "a", 9000), within=TWO_PASSES)


def test_slow_answers_slow_it_down_and_no_more(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """Two seconds for each answer: the Lease is kept, and nothing is done twice."""
    settled("a")
    proxy.rule = lambda asked: None if asked.watches else 2.0
    api.create(small("slow"))
    changed(api, "a", 9000)
    until(lambda: right(api, "a", 9000) and ready(api, "slow"), within=60)
    made = [a for a in proxy.asked if a.method == "PATCH" and a.path.endswith("/services/slow")]
    assert len(made) == 1


def test_watches_that_are_cut_are_opened_again(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """Reset in the middle, again and again, while things change."""
    settled("a")
    for turn in range(5):
        assert proxy.cut() > 0
        changed(api, "a", 9000 + turn)
        until(lambda turn=turn: right(api, "a", 9000 + turn), within=TWO_PASSES)  # type: ignore[misc]


def test_watches_that_fall_silent_are_replaced(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """The connections stay and bring nothing: each kind's watch is opened anew by kopf, and what was missed is found."""
    settled("a")
    until(lambda: {resource(asked) for asked in proxy.streams()} == KINDS)
    deaf = {id(asked) for asked in proxy.streams()}
    proxy.deaf = lambda asked: id(asked) in deaf
    changed(api, "a", 9000)

    def replaced() -> bool:
        fresh = {resource(asked) for asked in proxy.streams() if id(asked) not in deaf}
        return fresh == KINDS

    until(replaced, within=100)
    until(lambda: right(api, "a", 9000), within=TWO_PASSES)
    changed(api, "a", 9001)
    until(lambda: right(api, "a", 9001), within=TWO_PASSES)


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_change_that_a_silent_watch_never_told_is_found(
    api: Api, proxy: Proxy, start: Started, kind: str
) -> None:
    """One kind's watch is deaf from the start on: our own lists find what it did not tell, long before it is cut."""
    plural = {
        "HorizontalPodAutoscaler": "horizontalpodautoscalers",
        "NetworkPolicy": "networkpolicies",
    }
    wanted = plural.get(kind, f"{kind.lower()}s")
    proxy.deaf = lambda asked: resource(asked) == wanted
    start(resync_seconds="4")
    api.create(small("a", autoscaling={"maxReplicas": 3}))
    until(lambda: condition(api.get("WakalaService", "a"), "Ready"))
    name = "a-runtime" if kind == "ConfigMap" else "a"
    before = until(lambda: api.get(kind, name))["metadata"]["uid"]
    api.delete(kind, name)
    until(lambda: (found := api.get(kind, name)) and found["metadata"]["uid"] != before, within=25)


def test_an_expired_resource_version_is_begun_anew(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """410 to every watch that goes on from where it was, as after a compaction."""
    settled("a")
    gone = Answer(410, "Expired")
    expired: set[str] = set()

    def once(asked: Asked) -> Answer | None:
        if asked.watches and resource(asked) not in expired:
            expired.add(resource(asked))
            return gone
        return None

    until(lambda: {resource(asked) for asked in proxy.streams()} == KINDS)
    proxy.rule = once
    proxy.cut()
    until(lambda: expired == KINDS)
    changed(api, "a", 9000)
    until(lambda: right(api, "a", 9000), within=TWO_PASSES)
    until(lambda: {resource(asked) for asked in proxy.streams()} == KINDS, within=TWO_PASSES)


def test_conflicts_are_tried_again_and_nothing_is_doubled(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """The first six applies of each object and of the status conflict."""
    left: dict[str, int] = {}

    def conflict(asked: Asked) -> Answer | None:
        if asked.method != "PATCH" or lease(asked):
            return None
        left[asked.path] = left.get(asked.path, 6) - 1
        return Answer(409, "Conflict") if left[asked.path] >= 0 else None

    settled("a")
    proxy.rule = conflict
    api.create(small("b"))
    changed(api, "a", 9000)
    until(lambda: right(api, "a", 9000) and ready(api, "b"), within=60)
    for kind in CHILDREN:
        if kind != "HorizontalPodAutoscaler":
            listed = api.list(kind, labelSelector="app.kubernetes.io/managed-by=wakala-operator")
            assert len(listed) == 2, kind


def test_neither_page_fails_because_the_api_server_is_away(
    api: Api, proxy: Proxy, start: Started, tmp_path: Path
) -> None:
    """A probe that failed with it would restart every operator when they are needed most."""
    from tests.operator.test_process import free_port, page

    port = free_port()
    operator = start(health_port=str(port))
    until(lambda: page(port, "/readyz") == 200)
    proxy.rule = lambda _: Answer(503, "ServiceUnavailable")
    proxy.cut(lambda _: True)
    ends = time.monotonic() + 8
    while time.monotonic() < ends:
        assert (page(port, "/healthz"), page(port, "/readyz")) == (200, 200)
        settle(0.5)
    proxy.rule = lambda _: None
    assert operator.process.poll() is None


def test_an_edit_that_falls_into_our_status_write_is_not_lost(
    api: Api, proxy: Proxy, settled: Callable[[str], Any]
) -> None:
    """The answer to the status write carries the edit already, and the edit's own event comes after it: it must wake us."""
    settled("a")
    settle(2)  # nothing else wakes it then
    edited: list[int] = []

    def edit_first(asked: Asked) -> float | None:
        if not edited and asked.path.endswith("/wakalaservices/a/status"):
            # Its event is held back until the answer to our write is there.
            late.add("wakalaservices")
            api.patch("WakalaService", "a", {"spec": {"port": 9100}})
            edited.append(1)
            threading.Timer(0.5, late.clear).start()
        return None

    late: set[str] = set()
    proxy.deaf = lambda asked: resource(asked) in late
    proxy.rule = edit_first
    api.patch("WakalaService", "a", {"spec": {"networkPolicy": {"egressPorts": [{"port": 443}]}}})
    until(lambda: edited)
    until(
        lambda: api.get("Service", "a")["spec"]["ports"][0]["port"] == 9100 and ready(api, "a"),
        within=4,
    )
