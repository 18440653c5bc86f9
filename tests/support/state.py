"""What services have become, without what differs from namespace to namespace, so that two of them can be compared."""

import json
import ssl
import urllib.request
from typing import Any

from devcluster.cluster import Cluster
from tests.support.api import CHILDREN, PATHS, Api

Object = dict[str, Any]
ADDRESSES = ("clusterIP", "clusterIPs")
SALTED = ("wakala.com/applied", "wakala.com/references-hash")
"""Digests over a UID, and so another one in each namespace; that they are there is compared."""
CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")


def listed(cluster: Cluster, kind: str, **query: str) -> list[Object]:
    """All objects of a kind in all namespaces."""
    root, plural = PATHS[kind]
    return list(Api(cluster).call("GET", f"{root}/{plural}", **query)["items"])


def version(cluster: Cluster, kind: str) -> str:
    """Where `versions` begins to tell of what comes after this moment."""
    root, plural = PATHS[kind]
    return str(
        Api(cluster).call("GET", f"{root}/{plural}", limit="1")["metadata"]["resourceVersion"]
    )


def versions(cluster: Cluster, kind: str, since: str) -> list[Object]:
    """Every version of every object of a kind since then, in the order they were written, as a watch tells them."""
    root, plural = PATHS[kind]
    url = f"{cluster.server}/{root}/{plural}?watch=1&timeoutSeconds=1&resourceVersion={since}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {cluster.token}"})
    context = ssl.create_default_context(cafile=str(cluster.ca))
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        events = [json.loads(line) for line in answer]
    assert all(event["type"] != "ERROR" for event in events), events[:1]
    return [event["object"] for event in events if event["type"] != "DELETED"]


def states(cluster: Cluster, namespaces: set[str]) -> dict[str, Object]:
    """Of each namespace with one service: its children and its status, by `Kind name`.

    A child is what carries our label or an owner reference to the service; so that an orphan shows.
    """
    services = {
        found["metadata"]["namespace"]: found
        for found in listed(cluster, "WakalaService")
        if found["metadata"]["namespace"] in namespaces
    }
    found: dict[str, Object] = {
        namespace: {"status": _status(service)} for namespace, service in services.items()
    }
    for kind in (*CHILDREN, "ReplicaSet"):
        for obj in listed(cluster, kind):
            service = services.get(obj["metadata"]["namespace"])
            if service is None or not _belongs(obj, service):
                continue
            state = found[obj["metadata"]["namespace"]]
            if kind == "ReplicaSet":
                state["ReplicaSets"] = state.get("ReplicaSets", 0) + 1
            else:
                state[f"{kind} {obj['metadata']['name']}"] = _plain(kind, obj, service)
    return found


def _belongs(obj: Object, service: Object) -> bool:
    metadata = obj["metadata"]
    labelled = "wakala.com/service" in metadata.get("labels", {})
    owners = [owner["uid"] for owner in metadata.get("ownerReferences", [])]
    return labelled or service["metadata"]["uid"] in owners


def _status(service: Object) -> Object:
    """The status without its times, and without the log, which tells how it came to be so."""
    told = {k: v for k, v in service["status"].items() if k != "decisions"}
    told["conditions"] = [
        {k: v for k, v in condition.items() if k != "lastTransitionTime"}
        for condition in told.get("conditions", [])
    ]
    return told


def _plain(kind: str, obj: Object, service: Object) -> Object:
    """Everything but status, times, versions, addresses and what controllers note."""
    metadata = obj["metadata"]
    body = {k: v for k, v in obj.items() if k not in {"metadata", "status", "apiVersion", "kind"}}
    if kind == "Service":
        body["spec"] = {k: v for k, v in body["spec"].items() if k not in ADDRESSES}
    if kind == "Deployment":
        template = body["spec"]["template"]
        noted = _unsalted(template["metadata"].get("annotations", {}))
        template = template | {"metadata": template["metadata"] | {"annotations": noted}}
        body["spec"] = body["spec"] | {"template": template}
    body["metadata"] = {
        "labels": metadata.get("labels", {}),
        "annotations": _unsalted(metadata.get("annotations", {})),
        "ownerReferences": metadata.get("ownerReferences", []),
        "finalizers": metadata.get("finalizers", []),
        "deleted": "deletionTimestamp" in metadata,
    }
    body["managers"] = {
        f"{entry['manager']} {entry['operation']} {entry.get('subresource', '')}": entry["fieldsV1"]
        for entry in metadata.get("managedFields", [])
        if not entry["manager"].startswith(CONTROLLERS)
    }
    text = json.dumps(body, sort_keys=True).replace(service["metadata"]["uid"], "THE-SERVICE")
    return dict(json.loads(text))


def _unsalted(annotations: dict[str, str]) -> dict[str, str]:
    return {
        name: bool(value) and "…" if name in SALTED else value
        for name, value in annotations.items()
        if not name.startswith("deployment.kubernetes.io/")
    }


def unlike(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two states differ, in lines for people."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            line
            for key in sorted(one.keys() | other.keys())
            for line in unlike(one.get(key), other.get(key), f"{where}/{key}")
        ]
    return [] if one == other else [f"{where}: {one!r} here, {other!r} there"]
