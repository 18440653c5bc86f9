"""The life of a service on the real API server, from its creation to its end."""

import copy
import json
import ssl
import urllib.request
from typing import Any

import pytest

from tests.support.api import CHILDREN, Api, condition, service
from tests.support.audit import position, writes
from tests.support.operator import Operator, settle
from tests.support.until import until

pytestmark = pytest.mark.usefixtures("operator")

RIGHT_WITHIN = 1.0
"""Seconds in which a changed or deleted child is right again."""


def ready(api: Api, name: str, *, generation: int | None = None) -> Any:
    """The service once Ready is True for its present generation."""

    def ask() -> Any:
        found = api.get("WakalaService", name)
        now = found["metadata"]["generation"]
        told = condition(found, "Ready")
        good = told.get("status") == "True" and told["observedGeneration"] == now
        return found if good and generation in (None, now) else None

    return until(ask)


def child_name(kind: str, name: str) -> str:
    return f"{name}-runtime" if kind == "ConfigMap" else name


def test_a_service_of_one_field_becomes_everything_it_needs(api: Api) -> None:
    api.create(service("a"))
    found = ready(api, "a")
    assert found["status"]["observedGeneration"] == 1
    assert found["status"]["replicas"] == 2
    assert found["status"]["selector"] == "wakala.com/service=a"
    kinds = {entry["kind"] for entry in found["status"]["inventory"]}
    assert kinds == set(CHILDREN) - {"HorizontalPodAutoscaler"}
    for kind in kinds:
        child = api.get(kind, child_name(kind, "a"))
        (owner,) = child["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == (found["metadata"]["uid"], True)
    assert condition(found, "Reconciling") == {}
    assert condition(found, "Stalled") == {}


@pytest.mark.parametrize(
    ("section", "value", "kind", "path", "wanted"),
    [
        ("image", "wakala/api:2.0.0", "Deployment", "spec.template.spec.containers.0.image", "wakala/api:2.0.0"),
        ("port", 9000, "Service", "spec.ports.0.port", 9000),
        ("replicas", 3, "Deployment", "spec.replicas", 3),
        ("resources", {"limits": {"cpu": "2"}}, "Deployment", "spec.template.spec.containers.0.resources.limits.cpu", "2"),
        ("env", [{"name": "A", "value": "b"}], "Deployment", "spec.template.spec.containers.0.env.9.value", "b"),
        ("probes", {"startup": {"path": "/up"}}, "Deployment", "spec.template.spec.containers.0.startupProbe.httpGet.path", "/up"),
        ("scheduling", {"nodeSelector": {"kubernetes.io/os": "linux"}}, "Deployment", "spec.template.spec.nodeSelector", {"kubernetes.io/os": "linux"}),
        ("volumes", {"tmp": {"sizeLimit": "64Mi"}}, "Deployment", "spec.template.spec.volumes.0.emptyDir.sizeLimit", "64Mi"),
        ("dns", {"ndots": 2}, "Deployment", "spec.template.spec.dnsConfig.options.0.value", "2"),
        ("sysctls", {}, "Deployment", "spec.template.spec.securityContext.sysctls", None),
        ("rollout", {"maxSurge": 1}, "Deployment", "spec.strategy.rollingUpdate.maxSurge", 1),
        ("disruption", {"maxUnavailable": 2}, "PodDisruptionBudget", "spec.maxUnavailable", 2),
        ("networkPolicy", {"egressPorts": [{"port": 443}]}, "NetworkPolicy", "spec.egress.0.ports.2.port", 443),
        ("runtime", {"hashSeed": 0}, "Deployment", "spec.template.spec.containers.0.env.9", {"name": "PYTHONHASHSEED", "value": "0"}),
        ("database", {"connection": {"secretName": "db"}}, "NetworkPolicy", "spec.egress.0.ports.2.port", 5432),
        ("cache", {"connection": {"secretName": "redis"}}, "NetworkPolicy", "spec.egress.0.ports.2.port", 6379),
        ("podTemplatePatch", {"spec": {"containers": [{"name": "side", "image": "proxy:1"}]}}, "Deployment", "spec.template.spec.containers.1.name", "side"),
    ],
)  # fmt: skip
def test_an_edit_of_each_section_reaches_its_object(
    api: Api, section: str, value: Any, kind: str, path: str, wanted: Any
) -> None:
    api.create(service("a", replicas=1))
    before = ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {section: value}})

    def reached() -> bool:
        found: Any = api.get(kind, "a")
        for part in path.split("."):
            if isinstance(found, list):
                found = found[int(part)] if int(part) < len(found) else None
            else:
                found = (found or {}).get(part)
        return bool(found == wanted)

    until(reached, within=5)
    ready(api, "a", generation=before["metadata"]["generation"] + 1)


@pytest.mark.parametrize("section", ["nodeTuning", "monitoring", "database", "cache", "checklist"])
def test_a_section_that_nothing_acts_on_yet_is_answered(api: Api, section: str) -> None:
    told = {
        "nodeTuning": "NodesTuned",
        "monitoring": "MonitoringReady",
        "database": "DatabaseHealthy",
        "cache": "CacheHealthy",
        "checklist": "ChecklistPassed",
    }
    value: dict[str, Any] = {
        "nodeTuning": {"nodeSelector": {"kubernetes.io/os": "linux"}},
        "database": {"connection": {"secretName": "s"}},
        "cache": {"connection": {"secretName": "s"}},
    }.get(section, {})
    api.create(service("a", **{section: value}))
    until(lambda: condition(api.get("WakalaService", "a"), told[section]))
    answer = condition(api.get("WakalaService", "a"), told[section])
    assert (answer["status"], answer["reason"]) == ("Unknown", "NotActedOnYet")


@pytest.mark.parametrize("kind", CHILDREN)
def test_a_deleted_child_comes_back(api: Api, kind: str) -> None:
    api.create(service("a", autoscaling={"maxReplicas": 3}))
    ready(api, "a")
    name = child_name(kind, "a")
    uid = api.get(kind, name)["metadata"]["uid"]
    api.delete(kind, name)

    def back() -> bool:
        found = api.get(kind, name)
        return found is not None and found["metadata"]["uid"] != uid

    until(back, within=RIGHT_WITHIN)
    ready(api, "a")


DAMAGE: dict[str, tuple[dict[str, Any], str]] = {
    "ServiceAccount": ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
    "ConfigMap": ({"data": {"runtime.json": "{}"}}, "data.runtime.json"),
    "Deployment": ({"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}}, "dnsPolicy"),
    "Service": ({"spec": {"selector": {"wakala.com/service": "other"}}}, "spec.selector"),
    "HorizontalPodAutoscaler": ({"spec": {"maxReplicas": 9}}, "spec.maxReplicas"),
    "PodDisruptionBudget": ({"spec": {"maxUnavailable": 2}}, "spec.maxUnavailable"),
    "NetworkPolicy": ({"spec": {"egress": [{}]}}, "spec.egress"),
}


@pytest.mark.parametrize("kind", CHILDREN)
def test_an_edited_child_is_put_right_and_the_field_is_named(api: Api, kind: str) -> None:
    api.create(service("a", autoscaling={"maxReplicas": 3}))
    ready(api, "a")
    name = child_name(kind, "a")
    change, field = DAMAGE[kind]
    good = api.get(kind, name)
    api.patch(kind, name, change)

    def right() -> bool:
        found = api.get(kind, name)
        parts = ("spec", "data", "automountServiceAccountToken")
        return all(found.get(part) == good.get(part) for part in parts)

    until(right, within=RIGHT_WITHIN)
    until(
        lambda: [
            e for e in api.list("Event") if e["reason"] == "Corrected" and field in e["message"]
        ]
    )
    newest = api.get("WakalaService", "a")["status"]["decisions"][0]
    assert newest["reason"] == "Corrected"
    assert field in newest["message"]


def test_what_others_add_is_left_alone(api: Api, operator: Operator) -> None:
    """`kubectl rollout restart` and a sidecar injector write beside our fields."""
    api.create(service("a"))
    ready(api, "a")
    note = {
        "metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}
    }
    api.patch("Deployment", "a", {"spec": {"template": note}})
    settle(3)
    since = position(api.cluster.audit_log)
    settle(3)
    template = api.get("Deployment", "a")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    assert [
        w for w in writes(api.cluster.audit_log, since, agent="wakala-operator") if " a" in w
    ] == []


def test_a_removed_field_is_removed(api: Api) -> None:
    api.create(service("a", env=[{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]))
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"env": [{"name": "B", "value": "2"}]}})

    def names() -> list[str]:
        (container,) = api.get("Deployment", "a")["spec"]["template"]["spec"]["containers"]
        return [entry["name"] for entry in container["env"]]

    until(lambda: "A" not in names(), within=5)
    assert "B" in names()


def test_a_broken_image_is_told_and_rolled_back(api: Api) -> None:
    api.create(service("a", replicas=2))
    ready(api, "a")
    never = {"metadata": {"annotations": {"devcluster.wakala.com/never-ready": "true"}}}
    api.patch(
        "WakalaService", "a", {"spec": {"image": "wakala/api:broken", "podTemplatePatch": never}}
    )

    def told() -> Any:
        answer = condition(api.get("WakalaService", "a"), "Ready")
        return answer if "ImagePullBackOff" in answer.get("message", "") else None

    answer = until(told, within=20)
    assert answer["status"] == "False"
    assert "wakala/api:broken" in answer["message"]
    assert condition(api.get("WakalaService", "a"), "Reconciling")["status"] == "True"
    assert api.get("Deployment", "a")["status"]["availableReplicas"] == 2, (
        "the old pods go on serving"
    )
    api.patch(
        "WakalaService", "a", {"spec": {"image": "wakala/api:1.0.0", "podTemplatePatch": None}}
    )
    ready(api, "a")


def test_a_rollout_that_never_gets_there_is_stalled(api: Api) -> None:
    never = {"metadata": {"annotations": {"devcluster.wakala.com/never-ready": "true"}}}
    api.create(service("a", rollout={"progressDeadlineSeconds": 2}, podTemplatePatch=never))
    stalled = until(lambda: condition(api.get("WakalaService", "a"), "Stalled"), within=30)
    assert stalled["reason"] == "ProgressDeadlineExceeded"
    found = api.get("WakalaService", "a")
    assert condition(found, "Reconciling") == {}
    assert condition(found, "TemplatePatched")["status"] == "True"


def test_a_pause_holds_everything_and_is_lifted(api: Api) -> None:
    api.create(service("a"))
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"paused": True}})
    until(lambda: condition(api.get("WakalaService", "a"), "Ready")["reason"] == "Paused")
    assert condition(api.get("WakalaService", "a"), "Ready")["status"] == "True", (
        "the last one is kept"
    )
    api.patch("Deployment", "a", {"spec": {"replicas": 5}})
    api.patch("WakalaService", "a", {"spec": {"image": "wakala/api:2.0.0"}})
    until(lambda: condition(api.get("WakalaService", "a"), "Ready")["status"] == "Unknown")
    assert "Deployment a" in condition(api.get("WakalaService", "a"), "Ready")["message"]
    settle(1.5)
    deployment = api.get("Deployment", "a")
    assert deployment["spec"]["replicas"] == 5
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "wakala/api:1.0.0"
    api.patch("WakalaService", "a", {"spec": {"paused": False}})
    ready(api, "a")
    deployment = api.get("Deployment", "a")
    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "wakala/api:2.0.0"


def test_scaling_the_service_scales_the_pods(api: Api) -> None:
    api.create(service("a"))
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"replicas": 4}}, sub="scale")
    until(lambda: (api.get("WakalaService", "a")["status"]["replicas"]) == 4)
    scale = api.call("GET", api.path("WakalaService", "a") + "/scale")
    assert scale["status"] == {"replicas": 4, "selector": "wakala.com/service=a"}


def test_scaling_to_nothing_is_ready(api: Api) -> None:
    api.create(service("a", replicas=0))
    ready(api, "a")


def test_a_name_that_belongs_to_somebody_else_is_not_touched(api: Api) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"ports": [{"name": "http", "port": 8000}], "selector": {"x": "y"}},
    }
    before = api.create(theirs)
    api.create(service("a"))
    stalled = until(lambda: condition(api.get("WakalaService", "a"), "Stalled"))
    assert stalled["reason"] == "NameTaken"
    assert "Service a" in stalled["message"]
    assert (
        api.get("Service", "a")["metadata"]["resourceVersion"]
        == before["metadata"]["resourceVersion"]
    )
    assert api.get("Deployment", "a") is None, "a refused service has no half effect"
    api.patch("Service", "a", {"metadata": {"annotations": {"wakala.com/adopt": "a"}}})
    api.patch("WakalaService", "a", {"metadata": {"annotations": {"touch": "1"}}})
    ready(api, "a")
    assert api.get("Service", "a")["metadata"]["uid"] == before["metadata"]["uid"]


def test_a_forged_status_deletes_nothing(api: Api) -> None:
    """A namespace owner can write the status; what is deleted is decided by owner references alone."""
    theirs = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "theirs"},
        "data": {"a": "b"},
    }
    api.create(theirs)
    api.create(service("a"))
    ready(api, "a")
    forged = {"inventory": [{"kind": "ConfigMap", "name": "theirs"}], "observedGeneration": 1}
    api.patch("WakalaService", "a", {"status": forged}, sub="status")
    api.patch("WakalaService", "a", {"spec": {"replicas": 1}})
    found = ready(api, "a")
    assert api.get("ConfigMap", "theirs") is not None
    assert {"kind": "ConfigMap", "name": "theirs"} not in found["status"]["inventory"]


def test_an_object_that_is_no_longer_wanted_goes(api: Api) -> None:
    api.create(service("a"))
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"networkPolicy": {"enabled": False}}})
    until(lambda: api.get("NetworkPolicy", "a") is None, within=5)
    assert any(d["reason"] == "Pruned" for d in ready(api, "a")["status"]["decisions"])


def test_a_changed_secret_rolls_the_pods_out(api: Api) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db"},
        "stringData": {"url": "one"},
    }
    api.create(secret)
    api.create(service("a", database={"connection": {"secretName": "db"}}))
    ready(api, "a")

    def digest() -> str:
        template = api.get("Deployment", "a")["spec"]["template"]
        return str(template["metadata"]["annotations"]["wakala.com/references-hash"])

    before = digest()
    api.patch("Secret", "db", {"stringData": {"other": "entry"}})
    settle(4)
    assert digest() == before, "an entry that nobody reads rolls nothing out"
    api.patch("Secret", "db", {"stringData": {"url": "two"}})
    until(lambda: digest() != before)
    newest = until(
        lambda: [d for d in ready(api, "a")["status"]["decisions"] if d["reason"] == "RolledOut"]
    )
    assert "Secret db" in newest[0]["message"]


def test_a_missing_secret_is_named(api: Api) -> None:
    never = {"metadata": {"annotations": {"devcluster.wakala.com/never-ready": "true"}}}
    api.create(
        service("a", database={"connection": {"secretName": "gone"}}, podTemplatePatch=never)
    )
    until(
        lambda: (
            "Secret gone" in condition(api.get("WakalaService", "a"), "Ready").get("message", "")
        )
    )


def test_an_unreadable_spec_is_told_in_a_sentence(api: Api) -> None:
    """The schema accepts any patch; the operator does not."""
    host = {"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}
    api.create(service("a", podTemplatePatch=host))
    stalled = until(lambda: condition(api.get("WakalaService", "a"), "Stalled"))
    assert stalled["reason"] == "TemplateRefused"
    assert "hostPath" in stalled["message"]
    assert api.get("Deployment", "a") is None
    api.patch("WakalaService", "a", {"spec": {"podTemplatePatch": None}})
    ready(api, "a")


def test_a_patch_that_the_api_server_refuses_changes_nothing(api: Api) -> None:
    api.create(service("a"))
    ready(api, "a")
    before = api.get("ConfigMap", "a-runtime")["metadata"]["resourceVersion"]
    wrong = {"spec": {"containers": [{"name": "api", "env": 5}]}}
    api.patch(
        "WakalaService", "a", {"spec": {"podTemplatePatch": wrong, "runtime": {"workers": 2}}}
    )
    until(lambda: condition(api.get("WakalaService", "a"), "Stalled"))
    assert api.get("ConfigMap", "a-runtime")["metadata"]["resourceVersion"] == before
    unknown = {"spec": {"containers": [{"name": "api", "imagePulPolicy": "Never"}]}}
    api.patch("WakalaService", "a", {"spec": {"podTemplatePatch": None}})
    ready(api, "a")
    api.patch("WakalaService", "a", {"spec": {"podTemplatePatch": unknown}})
    stalled = until(lambda: condition(api.get("WakalaService", "a"), "Stalled"))
    assert "imagePulPolicy" in stalled["message"]


def test_deleting_the_service_takes_its_objects(api: Api) -> None:
    api.create(service("a", autoscaling={"maxReplicas": 3}))
    ready(api, "a")
    api.delete("WakalaService", "a")
    for kind in CHILDREN:
        until(lambda kind=kind: api.get(kind, child_name(kind, "a")) is None)  # type: ignore[misc]
    settle(2)
    assert api.get("Deployment", "a") is None, "nothing is made again"


def test_life_goes_on_where_a_killed_operator_left_it(api: Api, operator: Operator) -> None:
    api.create(service("a"))
    ready(api, "a")
    operator.kill()
    api.patch("WakalaService", "a", {"spec": {"image": "wakala/api:3.0.0"}})
    api.delete("PodDisruptionBudget", "a")
    api.create(service("b"))
    operator.start()
    ready(api, "a", generation=2)
    ready(api, "b")
    assert api.get("PodDisruptionBudget", "a") is not None
    container = api.get("Deployment", "a")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "wakala/api:3.0.0"


def test_a_settled_service_and_a_restart_over_it_write_nothing(
    api: Api, operator: Operator
) -> None:
    for name in ("a", "b"):
        api.create(
            service(name, autoscaling={"maxReplicas": 3}, resources={"limits": {"cpu": "1000m"}})
        )
    ready(api, "a")
    ready(api, "b")
    settle(2)
    since = position(api.cluster.audit_log)
    settle(62)
    assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []
    assert operator.stop() == 0
    operator.start()
    settle(15)
    assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []
    assert copy.deepcopy(condition(ready(api, "a"), "Ready"))["status"] == "True"


def test_autoscaling_takes_the_count_over_and_gives_it_back_without_a_dip(api: Api) -> None:
    """Watched over every version the Deployment has: a count below the bounds would be an outage (trap G17a)."""
    api.create(service("a", replicas=4))
    ready(api, "a")
    seen = _every_version(api, "a")
    api.patch("WakalaService", "a", {"spec": {"autoscaling": {"minReplicas": 3, "maxReplicas": 6}}})
    until(lambda: api.get("HorizontalPodAutoscaler", "a"))
    ready(api, "a")
    settle(2)
    assert "wakala-operator" not in _holders(api, "a"), "the count is the autoscaler's"
    assert api.get("Deployment", "a")["spec"]["replicas"] == 4
    api.patch("WakalaService", "a", {"spec": {"autoscaling": {"minReplicas": 5}}})
    until(lambda: api.get("Deployment", "a")["spec"]["replicas"] == 5)
    api.patch("WakalaService", "a", {"spec": {"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}})
    until(lambda: api.get("Deployment", "a")["spec"]["replicas"] == 3)
    settle(2)
    assert api.get("Deployment", "a")["spec"]["replicas"] == 3, "never fought"
    api.patch("WakalaService", "a", {"spec": {"replicas": 6}})
    settle(1)
    assert api.get("Deployment", "a")["spec"]["replicas"] == 3
    reasons = [d["reason"] for d in api.get("WakalaService", "a")["status"]["decisions"]]
    assert "ReplicasIgnored" in reasons
    api.patch("WakalaService", "a", {"spec": {"autoscaling": None}})
    until(lambda: api.get("Deployment", "a")["spec"]["replicas"] == 6)
    until(lambda: api.get("HorizontalPodAutoscaler", "a") is None)
    ready(api, "a")
    counts = [version["spec"]["replicas"] for version in seen()]
    assert len(counts) > 5
    assert min(counts) >= 3, counts


def test_a_new_autoscaled_service_starts_at_its_minimum(api: Api) -> None:
    seen = _every_version(api, "a")
    api.create(service("a", autoscaling={"minReplicas": 3, "maxReplicas": 6}))
    ready(api, "a")
    settle(1)
    assert {version["spec"].get("replicas") for version in seen()} == {3}


def _holders(api: Api, name: str) -> set[str]:
    """Managers that hold spec.replicas of a Deployment."""
    fields = api.get("Deployment", name)["metadata"]["managedFields"]
    return {f["manager"] for f in fields if "f:replicas" in f["fieldsV1"].get("f:spec", {})}


def _every_version(api: Api, name: str) -> Any:
    """A function that answers all versions of a Deployment since this call, from a watch."""
    start = api.call("GET", api.path("Deployment"))["metadata"]["resourceVersion"]

    def versions() -> list[Any]:
        events = api.events("Deployment", start)
        return [e["object"] for e in events if e["object"]["metadata"]["name"] == name]

    return versions


def test_what_admission_makes_of_a_value_is_accepted_and_not_fought(api: Api) -> None:
    """A mutating policy that rewrites images: accepted, no loop of writes, and a new wish is applied all the same."""
    root = "apis/admissionregistration.k8s.io/v1"
    change = (
        "Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: ["
        "Object.spec.template.spec.containers{name: 'api', image: 'mirror.example/' + "
        "object.spec.template.spec.containers[0].image}]}}}}"
    )
    policy = {
        "metadata": {"name": api.namespace},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {
                    "matchLabels": {"kubernetes.io/metadata.name": api.namespace}
                },
                "resourceRules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments"],
                    }
                ],
            },
            "matchConditions": [
                {
                    "name": "not-yet",
                    "expression": "!object.spec.template.spec.containers[0].image.startsWith('mirror.example/')",
                }
            ],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": change}}
            ],
        },
    }
    binding = {"metadata": {"name": api.namespace}, "spec": {"policyName": api.namespace}}
    api.call("POST", f"{root}/mutatingadmissionpolicies", policy)
    api.call("POST", f"{root}/mutatingadmissionpolicybindings", binding)
    try:
        settle(2)
        api.create(service("a"))
        ready(api, "a")

        def image() -> str:
            container = api.get("Deployment", "a")["spec"]["template"]["spec"]["containers"][0]
            return str(container["image"])

        assert image() == "mirror.example/wakala/api:1.0.0"
        settle(2)
        since = position(api.cluster.audit_log)
        api.patch("Deployment", "a", {"metadata": {"labels": {"wake": "up"}}})
        settle(3)
        assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []
        api.patch("WakalaService", "a", {"spec": {"image": "wakala/api:2.0.0"}})
        until(lambda: image() == "mirror.example/wakala/api:2.0.0")
    finally:
        api.call("DELETE", f"{root}/mutatingadmissionpolicybindings/{api.namespace}")
        api.call("DELETE", f"{root}/mutatingadmissionpolicies/{api.namespace}")


def test_a_field_that_somebody_keeps_changing_is_contested(api: Api) -> None:
    api.create(service("a"))
    ready(api, "a")
    for _ in range(8):
        api.apply(
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "a"},
                "spec": {"maxUnavailable": 3},
            },
            manager="somebody-else",
        )
        settle(0.6)
    told = until(lambda: condition(api.get("WakalaService", "a"), "Reconciling"))
    assert told["reason"] == "Contested"
    assert "somebody-else" in told["message"]
    assert "spec.maxUnavailable" in told["message"]
    assert api.get("PodDisruptionBudget", "a")["spec"]["maxUnavailable"] == 3, (
        "not fought more than once a minute"
    )


def test_a_patch_nested_beyond_all_reason_harms_nobody_else(api: Api) -> None:
    """The API server takes objects nested 10,000 deep, and reading one must not end the watch of all services."""
    levels = 9_990
    body = json.dumps(service("deep", podTemplatePatch={"spec": {"x": "HERE"}}))
    body = body.replace('"HERE"', '{"a":' * levels + "1" + "}" * levels)
    raw = urllib.request.Request(
        f"{api.cluster.server}/{api.path('WakalaService')}",
        method="POST",
        data=body.encode(),
        headers={
            "Authorization": f"Bearer {api.cluster.token}",
            "Content-Type": "application/json",
        },
    )
    context = ssl.create_default_context(cafile=str(api.cluster.ca))
    urllib.request.urlopen(raw, timeout=30, context=context).close()
    api.create(service("a"))
    ready(api, "a")
    until(lambda: [e for e in api.list("Event") if e["reason"] == "TemplateRefused"])
    assert api.get("Deployment", "deep") is None
    api.delete("WakalaService", "deep")
