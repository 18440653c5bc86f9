"""What people and clusters do to a service that no well-behaved test does, on the real API server."""

import itertools
import time
from collections.abc import Callable, Iterator

import pytest

from devcluster.cluster import Cluster
from tests.chaos.conftest import History, Started, ready, small
from tests.support.api import CHILDREN, Api, Refused, condition, install_crd
from tests.support.audit import position, writes
from tests.support.operator import settle
from tests.support.proxy import Answer, Asked, Fate, Proxy
from tests.support.until import until

CRD = "apis/apiextensions.k8s.io/v1/customresourcedefinitions/wakalaservices.wakala.com"
POLICIES = "apis/admissionregistration.k8s.io/v1"
GONE = 60.0
"""Seconds in which the cluster's own controllers have taken away what is to go."""
FOUND = 30.0
"""Seconds in which a service is seen although the watches had failed."""
PROMPT = 2.0
"""Seconds in which an edit has reached its object, whatever is wrong with another service."""
A_DOZEN_PASSES = 150
"""Requests; one pass over a service whose objects are all missing makes up to a dozen."""
KIB = 1024


@pytest.fixture(scope="module")
def collector(cluster: Cluster) -> None:
    """The cluster's garbage collector knows our kind: it looks for new ones every 30 s."""
    api = Api(cluster)
    uid = api.create(small("collected", operatorClass="nobody"))["metadata"]["uid"]
    owner = {"apiVersion": "wakala.com/v1alpha1", "kind": "WakalaService", "name": "collected"}
    metadata = {"name": "collected", "ownerReferences": [owner | {"uid": uid}]}
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    api.delete("WakalaService", "collected")
    until(lambda: api.get("ConfigMap", "collected") is None, within=GONE)


def children(api: Api) -> list[str]:
    """What is left of services in a namespace."""
    return [
        f"{kind} {found['metadata']['name']}"
        for kind in CHILDREN
        for found in api.list(kind, labelSelector="wakala.com/service")
    ]


def written(proxy: Proxy, since: int, part: str = "") -> list[str]:
    """What the operator has asked to write since then."""
    asked = proxy.asked[since:]
    return [f"{a.method} {a.path}" for a in asked if a.writes and part in a.path and not _lease(a)]


def _lease(asked: Asked) -> bool:
    return "/leases" in asked.path


def test_objects_as_large_as_the_api_server_takes(
    api: Api, start: Started, history: History
) -> None:
    """A patch of 200 KiB, annotations of 250 KiB, a Secret and a ConfigMap of 900 KiB: as prompt and as quiet as a small one."""
    large = {"value": "v" * (900 * KIB)}
    api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "large"}, "stringData": large}
    )
    api.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large"}, "data": large}
    )
    operator = start(lease="")
    env = [{"name": f"V{number}", "value": "v" * KIB} for number in range(200)]
    reads = [{"secretRef": {"name": "large"}}, {"configMapRef": {"name": "large"}}]
    patch = {"spec": {"containers": [{"name": "api", "env": env, "envFrom": reads}]}}
    service = small("a", podTemplatePatch=patch)
    service["metadata"]["annotations"] = {"notes": "n" * (250 * KIB)}
    api.create(service)
    until(lambda: ready(api, "a"))
    (container,) = api.get("Deployment", "a")["spec"]["template"]["spec"]["containers"]
    assert {entry["name"] for entry in container["env"]} >= {f"V{number}" for number in range(200)}
    api.patch("WakalaService", "a", {"spec": {"port": 9000}})
    until(lambda: api.get("Service", "a")["spec"]["ports"][0]["port"] == 9000, within=PROMPT)
    until(lambda: ready(api, "a"))

    def digest() -> str:
        template = api.get("Deployment", "a")["spec"]["template"]
        return str(template["metadata"]["annotations"]["wakala.com/references-hash"])

    for kind, field in (("Secret", "stringData"), ("ConfigMap", "data")):
        before = digest()
        api.patch(kind, "large", {field: {"value": "w" * (900 * KIB)}})
        until(lambda before=before: digest() != before)  # type: ignore[misc]
    until(lambda: ready(api, "a"))
    settle(2)
    since = position(api.cluster.audit_log)
    operator.stop()
    operator.start()
    settle(5)
    assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []


@pytest.fixture
def refused(api: Api) -> Iterator[None]:
    """A policy that refuses the ConfigMap of services named `poison`, for good."""
    name = f"no-poison-{api.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule | {"operations": ["CREATE"]}]},
        "validations": [
            {"expression": "object.metadata.name != 'poison-runtime'", "message": "not that one"}
        ],
    }
    metadata = {"metadata": {"name": name}}
    api.call("POST", f"{POLICIES}/validatingadmissionpolicies", metadata | {"spec": spec})
    binding = {"spec": {"policyName": name, "validationActions": ["Deny"]}}
    api.call("POST", f"{POLICIES}/validatingadmissionpolicybindings", metadata | binding)
    poison = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "poison-runtime"}}

    def in_force() -> bool:
        try:
            api.create(poison, dryRun="All")
        except Refused as refusal:
            return "not that one" in refusal.message
        return False

    until(in_force, within=20)
    yield
    api.call("DELETE", f"{POLICIES}/validatingadmissionpolicybindings/{name}")


class Passes:
    """When the passes over the poison service began, by their first write."""

    def __init__(self, proxy: Proxy, fate: Callable[[Asked], Fate]) -> None:
        self.times: list[float] = []
        self.fate = fate
        proxy.rule = self._rule

    def _rule(self, asked: Asked) -> Fate:
        if not (asked.writes and "/poison" in asked.path):
            return None
        if asked.path.endswith(("/serviceaccounts/poison", "/configmaps/poison-runtime")):
            now = time.monotonic()
            if not self.times or now - self.times[-1] > 0.4:
                self.times.append(now)
        return self.fate(asked)

    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.times)]


def _others_are_prompt(api: Api, seconds: float) -> None:
    """Each edit of three other services arrives in time, for so long."""
    port, deadline = 9000, time.monotonic() + seconds
    while time.monotonic() < deadline:
        port += 1
        for name in ("a", "b", "c"):
            api.patch("WakalaService", name, {"spec": {"port": port}})
        for name in ("a", "b", "c"):
            ports = lambda name=name: api.get("Service", name)["spec"]["ports"]  # noqa: E731
            until(lambda ports=ports, port=port: ports()[0]["port"] == port, within=PROMPT)  # type: ignore[misc]
        settle(0.5)


def _good(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.create(small(name))
    until(lambda: all(ready(api, name) for name in ("a", "b", "c")))


def test_a_service_that_is_refused_for_good_delays_nobody(
    api: Api, start: Started, proxy: Proxy, refused: None
) -> None:
    """It is looked at ever more seldom, and says why. With one worker, so that a place it held would be everybody's."""
    start(lease="", workers="1", resync_seconds="20")
    _good(api)
    passes = Passes(proxy, lambda _: None)
    api.create(small("poison"))
    stalled = until(lambda: condition(api.get("WakalaService", "poison"), "Stalled"))
    assert stalled["reason"] == "Refused"
    assert "not that one" in stalled["message"]
    _others_are_prompt(api, 16)
    gaps = passes.gaps()
    assert len(gaps) >= 2, gaps
    assert gaps[-1] > 6, gaps
    assert all(later > 1.5 * gap for gap, later in itertools.pairwise(gaps)), gaps


def test_a_service_whose_every_write_fails_delays_nobody(
    api: Api, start: Started, proxy: Proxy
) -> None:
    start(lease="", workers="1")
    _good(api)
    passes = Passes(proxy, lambda _: Answer(500, "InternalError"))
    api.create(small("poison"))
    until(lambda: passes.times)
    _others_are_prompt(api, 13)
    assert len(passes.gaps()) >= 4, passes.gaps()
    assert all(
        gap > wanted for gap, wanted in zip(passes.gaps(), (0.9, 0.9, 1.9, 3.9, 7.9), strict=False)
    ), passes.gaps()
    proxy.rule = lambda _: None
    until(lambda: ready(api, "poison"), within=40)


def test_a_service_whose_every_write_takes_long_delays_nobody(
    api: Api, start: Started, proxy: Proxy
) -> None:
    start(lease="")
    _good(api)
    passes = Passes(proxy, lambda _: 3.0)
    api.create(small("poison"))
    until(lambda: passes.times)
    _others_are_prompt(api, 6)
    proxy.rule = lambda _: None
    until(lambda: ready(api, "poison"), within=60)


def test_the_namespace_is_deleted_under_live_services(
    api: Api, start: Started, proxy: Proxy, cluster: Cluster
) -> None:
    """No traceback (the fixture looks), no queue that spins, and nobody else is harmed."""
    start(watch_namespaces="", operator_class="doomed", lease="")
    other = Api(cluster, "default")
    other.create(small("stays", operatorClass="doomed"))
    for name in ("a", "b"):
        api.create(small(name, operatorClass="doomed"))
    until(lambda: all(ready(api, name) for name in ("a", "b")) and ready(other, "stays"))
    _hold(api, "WakalaService", "a")
    since = len(proxy.asked)
    api.call("DELETE", f"api/v1/namespaces/{api.namespace}")
    until(lambda: children(api) == [], within=GONE)
    settle(3)
    assert children(api) == []
    _let_go(api, "WakalaService", "a")
    until(lambda: _gone(cluster, api.namespace), within=GONE)
    settle(3)
    here = [a for a in proxy.asked[since:] if f"/{api.namespace}/" in a.path]
    assert len(here) < A_DOZEN_PASSES, [f"{a.method} {a.path}" for a in here]
    since = len(proxy.asked)
    settle(5)
    assert [a for a in proxy.asked[since:] if f"/{api.namespace}/" in a.path] == []
    other.patch("WakalaService", "stays", {"spec": {"port": 9000}})
    until(lambda: other.get("Service", "stays")["spec"]["ports"][0]["port"] == 9000, within=PROMPT)
    other.delete("WakalaService", "stays")


def _gone(cluster: Cluster, namespace: str) -> bool:
    try:
        Api(cluster).call("GET", f"api/v1/namespaces/{namespace}")
    except Refused as refusal:
        return refusal.code == 404
    return False


def _hold(api: Api, kind: str, name: str) -> None:
    """Keep an object that is being deleted."""
    api.patch(kind, name, {"metadata": {"finalizers": ["tests.wakala.com/hold"]}})


def _let_go(api: Api, kind: str, name: str) -> None:
    api.patch(kind, name, {"metadata": {"finalizers": []}})


@pytest.mark.parametrize("collected", [False, True], ids=["objects-still-there", "objects-gone"])
def test_deleted_while_the_operator_is_away(
    api: Api, start: Started, proxy: Proxy, collector: None, collected: bool
) -> None:
    operator = start(lease="")
    api.create(small("a", autoscaling={"maxReplicas": 3}))
    until(lambda: ready(api, "a"))
    operator.kill()
    api.delete("WakalaService", "a")
    if collected:
        until(lambda: children(api) == [], within=GONE)
    since = len(proxy.asked)
    operator.start()
    until(lambda: any(asked.watches for asked in proxy.asked[since:]))
    until(lambda: children(api) == [], within=GONE)
    settle(3)
    assert children(api) == []
    assert written(proxy, since) == []


def test_made_anew_while_the_operator_is_away(
    api: Api, start: Started, history: History, collector: None
) -> None:
    """The old one's objects are in the way until they are collected: waited for, and neither taken nor complained of."""
    operator = start(lease="")
    api.create(small("a"))
    until(lambda: ready(api, "a"))
    operator.kill()
    _hold(api, "ConfigMap", "a-runtime")
    api.delete("WakalaService", "a")
    uid = api.create(small("a", port=9000))["metadata"]["uid"]
    operator.start()
    told = until(lambda: condition(api.get("WakalaService", "a"), "Reconciling"), within=GONE)
    assert told["reason"] == "Conflict"
    assert "deleted WakalaService of the same name" in told["message"]
    _let_go(api, "ConfigMap", "a-runtime")
    until(lambda: ready(api, "a"), within=GONE)
    assert [v for v in history.versions if condition(v, "Stalled")] == []
    owners = {
        owner["uid"]
        for kind in CHILDREN
        for found in api.list(kind, labelSelector="wakala.com/service")
        for owner in found["metadata"]["ownerReferences"]
    }
    assert owners == {uid}
    assert api.get("Service", "a")["spec"]["ports"][0]["port"] == 9000


def test_the_crd_is_removed_and_put_back(
    api: Api, start: Started, proxy: Proxy, collector: None
) -> None:
    """All services go with it; those that are applied later are looked after by the same process."""
    operator = start(lease="")
    api.create(small("a"))
    until(lambda: ready(api, "a"))
    process = operator.process.pid
    api.call("DELETE", CRD)
    try:
        until(lambda: _no_crd(api), within=GONE)
        until(lambda: children(api) == [], within=GONE)
        since = len(proxy.asked)
        settle(12)  # longer than from list to list
        assert children(api) == []
        assert written(proxy, since) == []
        assert len(proxy.asked) - since < A_DOZEN_PASSES
    finally:
        install_crd(api.cluster)
    api.create(small("b"))
    until(lambda: ready(api, "b"), within=FOUND)
    api.patch("WakalaService", "b", {"spec": {"port": 9000}})
    until(lambda: api.get("Service", "b")["spec"]["ports"][0]["port"] == 9000, within=FOUND)
    api.patch("WakalaService", "b", {"spec": {"port": 9001}})
    until(lambda: api.get("Service", "b")["spec"]["ports"][0]["port"] == 9001, within=PROMPT)
    assert operator.process.pid == process
    assert operator.process.poll() is None


def _no_crd(api: Api) -> bool:
    try:
        api.call("GET", CRD)
    except Refused as refusal:
        return refusal.code == 404
    return False
