"""The operator runs with the chart's rights and nothing more, and uses each of them; what must be refused is."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.chart.conftest import NAMESPACE, Helm, account_kubeconfig, granted
from tests.support.api import Api, Refused, condition, service
from tests.support.audit import entries
from tests.support.operator import Operator, settle
from tests.support.until import until

USER = f"system:serviceaccount:{NAMESPACE}:wakala-operator"


@pytest.fixture(scope="module")
def running(
    installed: str, admin: Api, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """The operator as a process that holds its ServiceAccount's token."""
    folder = tmp_path_factory.mktemp("account")
    operator = Operator(
        account_kubeconfig(admin, installed, folder),
        folder / "log",
        references_seconds="1",
        lease="wakala-operator",
        lease_namespace=NAMESPACE,
    )
    yield operator
    operator.stop()
    assert operator.tracebacks() == []


def ready(api: Api, name: str) -> bool:
    found = api.get("WakalaService", name)
    answer = condition(found, "Ready")
    return bool(
        answer.get("status") == "True"
        and answer["observedGeneration"] == found["metadata"]["generation"]
    )


def test_each_right_is_used_and_none_is_missing(running: Operator, admin: Api) -> None:
    """A life that needs every right; then the audit log is held against the chart's rules, both ways."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "stringData": {"url": "x"},
    }
    admin.create(secret)
    autoscaled = {
        "autoscaling": {"maxReplicas": 3},
        "database": {"connection": {"secretName": "db"}},
    }
    admin.create(
        service(
            "life",
            **autoscaled,
            env=[
                {
                    "name": "A",
                    "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k", "optional": True}},
                }
            ],
        )
    )
    until(lambda: ready(admin, "life"), within=30)
    admin.patch("PodDisruptionBudget", "life", {"spec": {"maxUnavailable": 2}})
    until(lambda: admin.get("PodDisruptionBudget", "life")["spec"]["maxUnavailable"] == 1)
    _take_away_every_kind(admin)
    never = {"metadata": {"annotations": {"devcluster.wakala.com/never-ready": "true"}}}
    admin.patch("WakalaService", "life", {"spec": {"podTemplatePatch": never}})
    until(
        lambda: (
            "ImagePullBackOff" in condition(admin.get("WakalaService", "life"), "Ready")["message"]
        ),
        within=30,
    )
    running.stop()
    running.start()  # an Event that is told again by a new process is counted, not made
    admin.patch("PodDisruptionBudget", "life", {"spec": {"maxUnavailable": 2}})
    until(lambda: admin.get("PodDisruptionBudget", "life")["spec"]["maxUnavailable"] == 1)
    settle(2)
    role = admin.call("GET", "apis/rbac.authorization.k8s.io/v1/clusterroles/wakala-operator")
    own = f"apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles/wakala-operator-lease"
    allowed = granted(role["rules"]) | granted(admin.call("GET", own)["rules"])
    # Asked by an admission plugin when an owner reference blocks its owner's deletion, and so in no audit line.
    by_admission = {("wakala.com", "wakalaservices/finalizers", "update")}

    def used() -> set[tuple[str, str, str]]:
        return {
            (entry["objectRef"].get("apiGroup", ""), _resource(entry["objectRef"]), verb)
            for entry in entries(admin.cluster.audit_log)
            if entry["user"]["username"] == USER and entry.get("objectRef", {}).get("resource")
            for verb in _verbs(entry)
        }

    assert allowed - used() == by_admission
    assert used() - allowed == set()
    refused = [
        entry["requestURI"]
        for entry in entries(admin.cluster.audit_log)
        if entry["user"]["username"] == USER and entry["responseStatus"]["code"] == 403
    ]
    assert refused == []


def _verbs(entry: dict[str, Any]) -> set[str]:
    """The rights a request needed: an apply that makes an object (201) is a patch that also needs create."""
    made = entry["verb"] == "patch" and entry["responseStatus"]["code"] == 201
    return {entry["verb"], "create"} if made else {entry["verb"]}


def _resource(reference: dict[str, Any]) -> str:
    sub = reference.get("subresource")
    return f"{reference['resource']}/{sub}" if sub else str(reference["resource"])


def _take_away_every_kind(admin: Api) -> None:
    """Have every kind pruned: objects that carry the service's controller reference and are not wanted."""
    owner = admin.get("WakalaService", "life")
    reference = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "name": "life",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    labels = {"app.kubernetes.io/managed-by": "wakala-operator"}
    pod = {
        "metadata": {"labels": {"x": "y"}},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    }
    selector = {"matchLabels": {"x": "y"}}
    scale = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"}
    extra: dict[str, tuple[str, dict[str, Any]]] = {
        "ServiceAccount": ("v1", {}),
        "ConfigMap": ("v1", {}),
        "Deployment": ("apps/v1", {"spec": {"replicas": 0, "selector": selector, "template": pod}}),
        "Service": ("v1", {"spec": {"ports": [{"port": 1}]}}),
        "HorizontalPodAutoscaler": (
            "autoscaling/v2",
            {"spec": {"maxReplicas": 1, "scaleTargetRef": scale}},
        ),
        "PodDisruptionBudget": ("policy/v1", {"spec": {"maxUnavailable": 1, "selector": selector}}),
        "NetworkPolicy": ("networking.k8s.io/v1", {"spec": {"podSelector": selector}}),
    }
    for kind, (version, body) in extra.items():
        metadata = {"name": "extra", "labels": labels, "ownerReferences": [reference]}
        admin.create({"apiVersion": version, "kind": kind, "metadata": metadata} | body)
        until(lambda kind=kind: admin.get(kind, "extra") is None, within=10)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "api/v1/secrets", None),
        ("GET", "api/v1/namespaces/kube-system/secrets?watch=1", None),
        ("POST", "api/v1/namespaces/default/secrets", {"metadata": {"name": "x"}}),
        ("POST", "api/v1/namespaces/default/pods", {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}),
        ("GET", "api/v1/nodes", None),
        ("GET", "apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler", None),
        ("GET", f"apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/another", None),
        ("DELETE", f"apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/wakala-operator", None),
        ("GET", "api/v1/namespaces", None),
        ("DELETE", "api/v1/namespaces/default", None),
        ("PATCH", "apis/wakala.com/v1alpha1/namespaces/default/wakalaservices/none", {"spec": {}}),
        ("DELETE", "apis/wakala.com/v1alpha1/namespaces/default/wakalaservices/none", None),
        ("POST", "apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "x"}}),
        ("POST", "apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings", {"metadata": {"name": "x"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
        ("POST", "apis/apps/v1/namespaces/default/daemonsets", {"metadata": {"name": "x"}}),
        ("GET", "apis/apiextensions.k8s.io/v1/customresourcedefinitions", None),
        ("POST", "api/v1/namespaces/default/serviceaccounts/default/token", {"spec": {}}),
    ],
)  # fmt: skip
def test_what_the_operator_may_not_do_is_refused(
    installed: str, admin: Api, tmp_path: Any, method: str, path: str, body: Any
) -> None:
    import json

    config = json.loads(account_kubeconfig(admin, installed, tmp_path).read_text())
    as_operator = admin.with_token(config["users"][0]["user"]["token"])
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    with pytest.raises(Refused) as refusal:
        as_operator.call(method, path, body, kind=kind)
    assert refusal.value.code == 403


def test_without_the_finalizers_right_nothing_could_be_owned(installed: str, admin: Api) -> None:
    """Why that right is there: where owner references are enforced, a blocking one needs it."""
    path = "apis/rbac.authorization.k8s.io/v1"
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch", "get"]}]
    admin.call("POST", f"{path}/clusterroles", {"metadata": {"name": "weak"}, "rules": rules})
    binding = {
        "metadata": {"name": "weak"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "weak"},
        "subjects": [{"kind": "User", "name": "weak", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    admin.call("POST", f"{path}/clusterrolebindings", binding)
    owner = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "name": "a",
        "uid": "u",
        "blockOwnerDeletion": True,
    }
    owned = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "o", "ownerReferences": [owner]},
    }
    with pytest.raises(Refused, match="blockOwnerDeletion"):
        admin.as_user("weak").create(owned)


def _writer(admin: Api, name: str, *, deployments: bool) -> Api:
    """A user who may write services, and perhaps Deployments."""
    path = "apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rules = [{"apiGroups": ["wakala.com"], "resources": ["*"], "verbs": ["*"]}]
    if deployments:
        rules.append({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["create"]})
    admin.call("POST", f"{path}/roles", {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}],
    }
    admin.call("POST", f"{path}/rolebindings", binding)
    return admin.as_user(name)


def test_a_service_is_written_only_by_who_may_make_deployments(installed: str, admin: Api) -> None:
    weak = _writer(admin, "writer-only", deployments=False)
    strong = _writer(admin, "deployer", deployments=True)

    def refused() -> bool:
        try:
            weak.create(service("up"), dryRun="All")
        except Refused as error:
            return "may not create deployments" in error.message
        return False

    until(refused, within=20)  # a policy takes a moment to be in force
    strong.create(service("up", replicas=0))
    with pytest.raises(
        Refused, match="writer-only may not create deployments in namespace default"
    ):
        weak.patch("WakalaService", "up", {"spec": {"image": "mine:1"}})
    with pytest.raises(Refused, match="may not create deployments"):
        weak.patch("WakalaService", "up", {"spec": {"replicas": 9}}, sub="scale")
    # `kubectl autoscale ws/up` is kept by a controller that may scale everything and make nothing.
    controller = admin.as_user("system:serviceaccount:kube-system:horizontal-pod-autoscaler")
    scaled = controller.call("GET", controller.path("WakalaService", "up") + "/scale")
    scaled["spec"]["replicas"] = 1
    controller.call("PUT", controller.path("WakalaService", "up") + "/scale", scaled)
    weak.patch("WakalaService", "up", {"metadata": {"labels": {"a": "b"}}})
    weak.delete("WakalaService", "up")


@pytest.mark.parametrize(
    ("patch", "word"),
    [
        ({"hostNetwork": True}, "hostNetwork"),
        ({"serviceAccountName": "admin"}, "ServiceAccount"),
        ({"volumes": [{"name": "h", "hostPath": {"path": "/"}}]}, "hostPath"),
        ({"containers": [{"name": "api", "securityContext": {"privileged": True}}]}, "privileged"),
        ({"initContainers": [{"name": "i", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]}, "capabilities"),
    ],
)  # fmt: skip
def test_a_patch_to_more_rights_is_refused_when_written(
    installed: str, admin: Api, patch: Any, word: str
) -> None:
    def refused() -> bool:
        try:
            admin.create(service("p", podTemplatePatch={"spec": patch}), dryRun="All")
        except Refused as error:
            return word in error.message
        return False

    until(refused, within=20)


def test_a_harmless_patch_is_taken(installed: str, admin: Api) -> None:
    patch = {"spec": {"containers": [{"name": "side", "image": "a:1"}], "hostAliases": []}}
    admin.create(service("p", podTemplatePatch=patch), dryRun="All")


def test_namespaced_rights_reach_only_the_named_namespaces(helm: Helm, admin: Api) -> None:
    text = helm.run("template", "x", "charts/wakala-operator", "--set", "watchNamespaces={a,b}")
    assert "kind: ClusterRole\n" not in text
    assert text.count("kind: Role\n") == 3, "one for each namespace, and one for the Lease"
