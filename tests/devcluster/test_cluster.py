"""What runs in the cluster behaves as the tests of the product need it."""

import json
import time
import urllib.error

import pytest
from kubernetes import client

from devcluster.api import call
from devcluster.stages import NEVER_READY
from tests.support.until import until

IMAGE = "registry.example.com/app:1"
SPACE = "default"


def deployment(name, *, annotations=None, replicas=2):
    """A Deployment of one container."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
    }
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.fixture
def pods(api):
    """The pods of a Deployment."""
    core = client.CoreV1Api(api)

    def found(name):
        return core.list_namespaced_pod(SPACE, label_selector=f"app={name}").items

    return found


def ready(pod):
    """Whether a pod says so."""
    return {c.type: c.status for c in pod.status.conditions or []}.get("Ready") == "True"


def test_nodes_look_like_a_clouds(api):
    """Ready, in zones, with instance types and room, each a machine of its own."""
    nodes = client.CoreV1Api(api).list_node().items
    labels = [node.metadata.labels for node in nodes]
    assert [one["kubernetes.io/hostname"] for one in labels] == ["node-0", "node-1"]
    assert [one["topology.kubernetes.io/zone"] for one in labels] == ["zone-a", "zone-b"]
    assert [one["node.kubernetes.io/instance-type"] for one in labels] == ["c5.xlarge", "m5.xlarge"]
    assert {node.status.allocatable["pods"] for node in nodes} == {"10k"}
    assert len({node.status.node_info.boot_id for node in nodes} - {""}) == 2
    for node in nodes:
        assert {c.type: c.status for c in node.status.conditions}["Ready"] == "True"


def test_pods_run_and_go(api, pods):
    """A Deployment is ready within seconds on several nodes, its endpoints too, and its pods vanish with it."""
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    apps.create_namespaced_deployment(SPACE, deployment("runs", replicas=4))
    core.create_namespaced_service(
        SPACE,
        {
            "metadata": {"name": "runs"},
            "spec": {"selector": {"app": "runs"}, "ports": [{"port": 80}]},
        },
    )
    until(lambda: apps.read_namespaced_deployment("runs", SPACE).status.ready_replicas == 4)
    there = pods("runs")
    assert len({pod.spec.node_name for pod in there}) == 2
    assert len({pod.status.pod_ip for pod in there}) == 4
    assert {pod.status.phase for pod in there} == {"Running"}
    slices = client.DiscoveryV1Api(api)
    until(
        lambda: (
            sum(
                len(one.endpoints or [])
                for one in slices.list_namespaced_endpoint_slice(
                    SPACE, label_selector="kubernetes.io/service-name=runs"
                ).items
            )
            == 4
        )
    )
    apps.delete_namespaced_deployment("runs", SPACE)
    core.delete_namespaced_service("runs", SPACE)
    until(lambda: not pods("runs"), within=10)


def test_an_annotated_pod_never_gets_ready(api, pods):
    """It is scheduled and waits for its image, while others get ready, until the annotation is taken away."""
    apps, core = client.AppsV1Api(api), client.CoreV1Api(api)
    never = deployment("never", annotations={NEVER_READY: "true"}, replicas=1)
    apps.create_namespaced_deployment(SPACE, never)

    def waiting():
        statuses = [s for pod in pods("never") for s in pod.status.container_statuses or []]
        return [s.state.waiting.reason for s in statuses] == ["ImagePullBackOff"]

    until(waiting)
    apps.create_namespaced_deployment(SPACE, deployment("other", replicas=1))
    until(lambda: all(ready(pod) for pod in pods("other")) and pods("other"))
    for _ in range(20):
        assert [ready(pod) for pod in pods("never")] == [False]
        assert waiting()
        time.sleep(0.1)
    assert pods("never")[0].spec.node_name
    name = pods("never")[0].metadata.name
    core.patch_namespaced_pod(name, SPACE, {"metadata": {"annotations": {NEVER_READY: None}}})
    until(lambda: ready(pods("never")[0]))
    for deployed in ("never", "other"):
        apps.delete_namespaced_deployment(deployed, SPACE)
    until(lambda: not pods("never"), within=10)


def test_a_jobs_pod_succeeds(api):
    """A Job completes, init container and all."""
    batch = client.BatchV1Api(api)
    spec = {
        "restartPolicy": "Never",
        "initContainers": [{"name": "first", "image": IMAGE}],
        "containers": [{"name": "app", "image": IMAGE}],
    }
    batch.create_namespaced_job(
        SPACE, {"metadata": {"name": "once"}, "spec": {"template": {"spec": spec}}}
    )
    until(lambda: batch.read_namespaced_job("once", SPACE).status.succeeded == 1)
    batch.delete_namespaced_job("once", SPACE, propagation_policy="Background")


def test_the_autoscaler_acts_within_seconds(api):
    """Also back down: its windows are short here."""
    apps, scaling = client.AppsV1Api(api), client.AutoscalingV2Api(api)
    apps.create_namespaced_deployment(SPACE, deployment("scaled", replicas=1))
    usage = {"type": "Utilization", "averageUtilization": 70}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"},
        "minReplicas": 3,
        "maxReplicas": 5,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": usage}}],
    }
    scaling.create_namespaced_horizontal_pod_autoscaler(
        SPACE, {"metadata": {"name": "scaled"}, "spec": spec}
    )
    until(lambda: apps.read_namespaced_deployment("scaled", SPACE).status.ready_replicas == 3)
    scaling.patch_namespaced_horizontal_pod_autoscaler(
        "scaled", SPACE, {"spec": {"minReplicas": 1, "maxReplicas": 2}}
    )
    until(lambda: apps.read_namespaced_deployment("scaled", SPACE).status.ready_replicas == 2)
    scaling.delete_namespaced_horizontal_pod_autoscaler("scaled", SPACE)
    apps.delete_namespaced_deployment("scaled", SPACE)


def test_a_mutating_policy_rewrites_images(api):
    """MutatingAdmissionPolicy is served as v1 without a switch, and acts."""
    rules = [
        {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "resources": ["pods"],
            "operations": ["CREATE"],
        }
    ]
    container = 'Object.spec.containers{name: c.name, image: "mirror.example.com/" + c.image}'
    patch = f"Object{{spec: Object.spec{{containers: object.spec.containers.map(c, {container})}}}}"
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "mirror"},
        "spec": {
            "matchConstraints": {"resourceRules": rules},
            "reinvocationPolicy": "Never",
            "mutations": [
                {
                    "patchType": "ApplyConfiguration",
                    "applyConfiguration": {"expression": patch},
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "mirror"},
        "spec": {"policyName": "mirror"},
    }
    group = "/apis/admissionregistration.k8s.io/v1"
    objects = client.CustomObjectsApi(api)
    plurals = {"mutatingadmissionpolicies": policy, "mutatingadmissionpolicybindings": binding}
    for plural, body in plurals.items():
        objects.create_cluster_custom_object(*group.split("/")[2:], plural, body)
    core = client.CoreV1Api(api)
    probe = {
        "metadata": {"name": "probe"},
        "spec": {"containers": [{"name": "app", "image": IMAGE}]},
    }

    def acts():
        answer = core.create_namespaced_pod(SPACE, probe, dry_run="All")
        return answer.spec.containers[0].image == f"mirror.example.com/{IMAGE}"

    until(acts)
    for plural in plurals:
        objects.delete_cluster_custom_object(*group.split("/")[2:], plural, "mirror")


def test_the_audit_log_tells_who_wrote_what(cluster, api):
    """Each write with user, verb, program, answer and dry run; reads of a ServiceAccount, not those of the admin."""
    core = client.CoreV1Api(api)
    name = {"metadata": {"name": "audited"}}
    core.create_namespaced_config_map(SPACE, name, dry_run="All")
    core.create_namespaced_config_map(SPACE, name)
    core.list_namespaced_config_map(SPACE)
    asked = core.create_namespaced_service_account_token("default", SPACE, {"spec": {}})
    path = f"/api/v1/namespaces/{SPACE}/configmaps/audited"
    for method in ("GET", "DELETE"):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            call(
                cluster.server,
                cluster.ca,
                token=asked.status.token,
                method=method,
                path=path,
            )
    core.delete_namespaced_config_map("audited", SPACE)

    def logged():
        events = [json.loads(line) for line in cluster.audit_log.read_text().splitlines()]
        return [
            (
                event["user"]["username"],
                event["verb"],
                "dryRun=All" in event["requestURI"],
                event["responseStatus"]["code"],
            )
            for event in events
            if event["objectRef"].get("resource") == "configmaps"
            and event["objectRef"].get("namespace") == SPACE
            and event["objectRef"].get("name", "audited") == "audited"
            and event["userAgent"]
            and event["stage"] == "ResponseComplete"
            and event["level"] == "Metadata"
        ]

    account = f"system:serviceaccount:{SPACE}:default"
    wanted = [
        ("admin", "create", True, 201),
        ("admin", "create", False, 201),
        (account, "get", False, 403),
        (account, "delete", False, 403),
        ("admin", "delete", False, 200),
    ]
    until(lambda: logged() == wanted, within=5)


def test_strangers_are_refused(cluster):
    """A wrong token is nobody; a name that the certificate does not hold is not believed."""
    with pytest.raises(urllib.error.HTTPError, match="401"):
        call(cluster.server, cluster.ca, token=cluster.token[::-1], path="/api/v1/pods")
    elsewhere = cluster.server.replace("127.0.0.1", "localhost")
    with pytest.raises(urllib.error.URLError, match="certificate is not valid for 'localhost'"):
        call(elsewhere, cluster.ca, token=cluster.token, path="/version")
