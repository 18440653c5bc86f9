"""Several installations of the chart on one cluster: each looks after its own class or its own namespaces, and nothing else.

Each operator runs as a process that holds the token of its own ServiceAccount, so that its rights are the chart's.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.chart.conftest import CHARTS, NAMESPACE, Helm, account_kubeconfig
from tests.support.api import Api, Refused, condition, served, service
from tests.support.audit import WRITES, entries, position
from tests.support.operator import Operator, settle
from tests.support.state import states
from tests.support.until import until

FEW = ("one", "two")
TAKEN_OVER = 5.0
"""Seconds after which a service whose class was changed is looked after by the other one."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with three installations, of the classes blue and green, and one for two namespaces."""
    running = devcluster.start(tmp_path_factory.mktemp("scope"))
    admin, helm = Api(running), Helm(running)
    for name in (*FEW, "three"):
        admin.call("POST", "api/v1/namespaces", {"metadata": {"name": name}})
    helm.install("wakala-crds")
    for name, words in {
        "blue": "operatorClass=blue",
        "green": "operatorClass=green",
        "few": f"watchNamespaces={{{','.join(FEW)}}},operatorClass=few",
    }.items():
        chart = str(CHARTS / "wakala-operator")
        helm.run("upgrade", "--install", name, chart, "-n", NAMESPACE, "--set", words)
    until(lambda: served(admin))
    yield running
    devcluster.stop(running)


def start(cluster: Cluster, name: str, folder: Path, **settings: str) -> Operator:
    """The process of one installation."""
    folder = folder / name
    folder.mkdir()
    kubeconfig = account_kubeconfig(Api(cluster), name, folder)
    own = {"lease": name, "lease_namespace": NAMESPACE, "operator_class": name}
    return Operator(kubeconfig, folder / "log", **own | settings)


@pytest.fixture(scope="module")
def colours(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Operator]]:
    folder = tmp_path_factory.mktemp("colours")
    seldom = {"references_seconds": "60"}
    running = {name: start(cluster, name, folder, **seldom) for name in ("blue", "green")}
    yield running
    for operator in running.values():
        assert operator.stop() == 0
        assert operator.tracebacks() == []


def asked_by(cluster: Cluster, name: str, since: int = 0) -> list[dict[str, Any]]:
    """What an installation's ServiceAccount has asked for."""
    user = f"system:serviceaccount:{NAMESPACE}:{name}"
    return [e for e in entries(cluster.audit_log, since) if e["user"]["username"] == user]


def written_by(cluster: Cluster, name: str, since: int = 0) -> list[str]:
    """Names of what it has written, its Lease aside."""
    return [
        e["objectRef"]["name"]
        for e in asked_by(cluster, name, since)
        if e["verb"] in WRITES and e["objectRef"]["resource"] not in {"leases", "events"}
    ]


def ready(api: Api, name: str) -> bool:
    found = api.get("WakalaService", name)
    told = condition(found, "Ready")
    generation = found["metadata"]["generation"]
    return bool(told.get("status") == "True" and told["observedGeneration"] == generation)


def test_each_class_has_its_own_operator(
    cluster: Cluster, api: Api, colours: dict[str, Operator]
) -> None:
    since = position(cluster.audit_log)
    for name in ("blue", "green", ""):
        api.create(service(f"{name or 'no'}-one", operatorClass=name))
    until(lambda: ready(api, "blue-one") and ready(api, "green-one"))
    api.patch("PodDisruptionBudget", "green-one", {"spec": {"maxUnavailable": 2}})
    until(lambda: api.get("PodDisruptionBudget", "green-one")["spec"]["maxUnavailable"] == 1)
    settle(2)
    for name in colours:
        names = set(written_by(cluster, name, since))
        assert names == {f"{name}-one", f"{name}-one-runtime"}
    assert api.get("WakalaService", "no-one")["status"] == {"observedGeneration": -1}
    leases = Api(cluster, NAMESPACE)
    assert all(leases.get("Lease", name)["spec"]["holderIdentity"] for name in colours)


def test_a_changed_class_hands_the_service_over(
    cluster: Cluster, api: Api, colours: dict[str, Operator]
) -> None:
    """Nothing is made anew or rolled out by it, the old operator writes no more, and the new one keeps it."""
    api.create(service("a", operatorClass="blue", autoscaling={"maxReplicas": 3}))
    until(lambda: ready(api, "a"))
    settle(1)
    before = states(cluster, {api.namespace})[api.namespace]
    since = position(cluster.audit_log)
    api.patch("WakalaService", "a", {"spec": {"operatorClass": "green"}})
    until(lambda: ready(api, "a"), within=TAKEN_OVER)
    settle(1)
    after = states(cluster, {api.namespace})[api.namespace]
    assert {k: v for k, v in after.items() if k != "status"} == {
        k: v for k, v in before.items() if k != "status"
    }
    assert written_by(cluster, "green", since) == ["a"], "the status, and nothing else"
    since = position(cluster.audit_log)
    api.patch("WakalaService", "a", {"spec": {"port": 9000}})
    api.delete("PodDisruptionBudget", "a")
    until(lambda: api.get("PodDisruptionBudget", "a") and ready(api, "a"))
    assert api.get("Service", "a")["spec"]["ports"][0]["port"] == 9000
    settle(2)
    assert written_by(cluster, "blue", since) == []


def test_a_service_that_comes_back_is_looked_at_anew(
    cluster: Cluster, api: Api, colours: dict[str, Operator]
) -> None:
    """Its Secret changed while it was another's: that one rolled the pods out, and the first does not roll them back."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
    api.create(secret | {"stringData": {"url": "one"}})
    reads = {"database": {"connection": {"secretName": "db"}}}
    api.create(service("a", operatorClass="blue", **reads))
    until(lambda: ready(api, "a"))
    api.patch("Secret", "db", {"stringData": {"url": "two"}})
    api.patch("WakalaService", "a", {"spec": {"operatorClass": "green"}})
    until(lambda: ready(api, "a") and len(api.list("ReplicaSet")) == 2)
    until(lambda: ready(api, "a"))
    template = api.get("Deployment", "a")["spec"]["template"]
    api.patch("WakalaService", "a", {"spec": {"operatorClass": "blue"}})
    until(lambda: ready(api, "a"))
    settle(2)
    assert api.get("Deployment", "a")["spec"]["template"] == template


def test_a_class_that_changes_amid_the_work_ends_no_fight(
    cluster: Cluster, api: Api, colours: dict[str, Operator]
) -> None:
    """Each time an edit comes right before: the old operator may be at work on it when the new one begins."""
    api.create(service("a", operatorClass="blue", replicas=0))
    until(lambda: ready(api, "a"))
    for port, colour in enumerate(["green", "blue"] * 5, start=9000):
        api.patch("WakalaService", "a", {"spec": {"port": 9999}})
        api.patch("WakalaService", "a", {"spec": {"port": port, "operatorClass": colour}})
        until(lambda: ready(api, "a"), within=TAKEN_OVER)
    right = lambda: api.get("Service", "a")["spec"]["ports"][0]["port"] == 9009  # noqa: E731
    until(right, within=TAKEN_OVER)
    settle(1)
    since = position(cluster.audit_log)
    settle(3)
    assert written_by(cluster, "blue", since) == written_by(cluster, "green", since) == []
    assert right()
    assert ready(api, "a")


def test_a_class_that_nobody_serves_leaves_everything_as_it_is(
    cluster: Cluster, api: Api, colours: dict[str, Operator]
) -> None:
    """The pods stay; the status speaks of an older generation, which tools read as: not done."""
    api.create(service("a", operatorClass="blue"))
    until(lambda: ready(api, "a"))
    settle(1)
    since = position(cluster.audit_log)
    api.patch("WakalaService", "a", {"spec": {"operatorClass": "nobody", "port": 9000}})
    settle(2)
    found = api.get("WakalaService", "a")
    assert found["status"]["observedGeneration"] < found["metadata"]["generation"]
    assert api.get("Service", "a")["spec"]["ports"][0]["port"] == 8000
    assert written_by(cluster, "blue", since) == written_by(cluster, "green", since) == []


def test_two_namespaces_with_rights_in_them_alone(cluster: Cluster, tmp_path: Path) -> None:
    """All that it asks for names one of them, or its own for the Lease; nothing is refused."""
    operator = start(cluster, "few", tmp_path, watch_namespaces=",".join(FEW))
    homes = {name: Api(cluster, name) for name in (*FEW, "three")}
    try:
        for api in homes.values():
            api.create(service("a", operatorClass="few", autoscaling={"maxReplicas": 3}))
        until(lambda: all(ready(homes[name], "a") for name in FEW))
        for name in FEW:
            homes[name].delete("Service", "a")
            homes[name].patch("WakalaService", "a", {"spec": {"port": 9000}})
        until(lambda: all(homes[n].get("Service", "a") and ready(homes[n], "a") for n in FEW))
        settle(12)  # the lists are read again after ten seconds
    finally:
        assert operator.stop() == 0
    assert operator.tracebacks() == []
    # A watch is in the audit log once it has ended.
    until(lambda: "watch" in {e["verb"] for e in asked_by(cluster, "few")})
    settle(1)
    asked = [e for e in asked_by(cluster, "few") if "objectRef" in e]
    assert {e["verb"] for e in asked} >= {"list", "watch", "patch"}
    elsewhere = {
        (e["objectRef"].get("namespace", "everywhere"), e["objectRef"]["resource"])
        for e in asked
        if e["objectRef"].get("namespace") not in FEW
    }
    assert elsewhere == {(NAMESPACE, "leases")}
    assert [e["requestURI"] for e in asked if e["responseStatus"]["code"] == 403] == []
    assert homes["three"].get("WakalaService", "a")["status"] == {"observedGeneration": -1}
    assert homes["three"].get("Deployment", "a") is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "apis/wakala.com/v1alpha1/wakalaservices"),
        ("GET", "apis/apps/v1/deployments"),
        ("GET", "apis/wakala.com/v1alpha1/namespaces/three/wakalaservices"),
        ("GET", "apis/apps/v1/namespaces/three/deployments"),
        ("GET", "api/v1/namespaces/three/secrets/any"),
        ("DELETE", "apis/apps/v1/namespaces/three/deployments/a"),
        ("GET", f"apis/apps/v1/namespaces/{NAMESPACE}/deployments"),
    ],
)
def test_it_is_refused_elsewhere(cluster: Cluster, tmp_path: Path, method: str, path: str) -> None:
    import json

    config = json.loads(account_kubeconfig(Api(cluster), "few", tmp_path).read_text())
    token = config["users"][0]["user"]["token"]
    with pytest.raises(Refused) as refusal:
        Api(cluster).with_token(token).call(method, path)
    assert refusal.value.code == 403
