"""A plain client for tests: kubectl's verbs over HTTP, as any user.

Independent of the product's client, so that a fault there can't hide here.
"""

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from devcluster.cluster import Cluster
from tests.support.until import until

ROOT = Path(__file__).parents[2]
PATHS = {
    "WakalaService": ("apis/wakala.com/v1alpha1", "wakalaservices"),
    "Deployment": ("apis/apps/v1", "deployments"),
    "ReplicaSet": ("apis/apps/v1", "replicasets"),
    "Service": ("api/v1", "services"),
    "ServiceAccount": ("api/v1", "serviceaccounts"),
    "ConfigMap": ("api/v1", "configmaps"),
    "Secret": ("api/v1", "secrets"),
    "Pod": ("api/v1", "pods"),
    "Lease": ("apis/coordination.k8s.io/v1", "leases"),
    "Event": ("api/v1", "events"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "Role": ("apis/rbac.authorization.k8s.io/v1", "roles"),
    "RoleBinding": ("apis/rbac.authorization.k8s.io/v1", "rolebindings"),
}
CHILDREN = (
    "ServiceAccount",
    "ConfigMap",
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "NetworkPolicy",
)


class Refused(Exception):
    """The API server said no."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Api:
    """One user's view of one namespace."""

    cluster: Cluster
    namespace: str = "default"
    headers: dict[str, str] = field(default_factory=dict)

    def as_user(self, name: str, *groups: str) -> "Api":
        """The same as another user, by impersonation."""
        headers = (
            {"Impersonate-User": name, "Impersonate-Group": ",".join(groups)} if groups else {}
        )
        return replace(self, headers={"Impersonate-User": name} | headers)

    def with_token(self, token: str) -> "Api":
        """The same as the holder of a token."""
        return replace(self, headers={"Authorization": f"Bearer {token}"})

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        **query: str,
    ) -> Any:
        """One request; the answer as JSON."""
        url = f"{self.cluster.server}/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.cluster.token}",
                "Content-Type": kind,
                "User-Agent": "tests",
            }
            | self.headers,
        )
        context = ssl.create_default_context(cafile=str(self.cluster.ca))
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode()
            try:
                message = json.loads(text).get("message", text)
            except ValueError:
                message = text
            raise Refused(error.code, message) from None

    def path(self, kind: str, name: str = "") -> str:
        """Where objects of a kind are kept."""
        root, plural = PATHS[kind]
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def get(self, kind: str, name: str) -> Any:
        """One object, or None."""
        try:
            return self.call("GET", self.path(kind, name))
        except Refused as error:
            if error.code == 404:
                return None
            raise

    def events(self, kind: str, since: str) -> list[Any]:
        """What a watch brings within a second, from a resource version on."""
        url = (
            f"{self.cluster.server}/{self.path(kind)}"
            f"?watch=1&timeoutSeconds=1&resourceVersion={since}"
        )
        bearer = {"Authorization": f"Bearer {self.cluster.token}"}
        request = urllib.request.Request(url, headers=bearer | self.headers)
        context = ssl.create_default_context(cafile=str(self.cluster.ca))
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return [json.loads(line) for line in answer]

    def list(self, kind: str, **query: str) -> list[Any]:
        """All objects of a kind in the namespace."""
        return list(self.call("GET", self.path(kind), **query)["items"])

    def create(self, obj: dict[str, Any], **query: str) -> Any:
        """Make an object; strict about fields, as kubectl is."""
        return self.call(
            "POST", self.path(obj["kind"]), obj, **({"fieldValidation": "Strict"} | query)
        )

    def apply(self, obj: dict[str, Any], manager: str = "kubectl", **query: str) -> Any:
        """Server-side apply, by force."""
        asked = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"} | query
        where = self.path(obj["kind"], obj["metadata"]["name"])
        return self.call("PATCH", where, obj, kind="application/apply-patch+yaml", **asked)

    def patch(
        self, kind: str, name: str, change: Any, *, sub: str = "", manager: str = "edit"
    ) -> Any:
        """A merge patch."""
        where = self.path(kind, name) + (f"/{sub}" if sub else "")
        return self.call(
            "PATCH", where, change, kind="application/merge-patch+json", fieldManager=manager
        )

    def delete(self, kind: str, name: str) -> None:
        """Delete an object."""
        self.call("DELETE", self.path(kind, name))


def condition(obj: Any, kind: str) -> dict[str, Any]:
    """A condition of an object, or {}."""
    found = ((obj or {}).get("status") or {}).get("conditions") or []
    return next((c for c in found if c["type"] == kind), {})


def service(name: str, **spec: Any) -> dict[str, Any]:
    """A WakalaService with few pods."""
    return {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": name},
        "spec": {"image": "wakala/api:1.0.0", "replicas": 2} | spec,
    }


def served(api: Api) -> bool:
    """Whether the API server knows our kind by now."""
    try:
        api.list("WakalaService")
    except Refused:
        return False
    return True


def install_crd(cluster: Cluster) -> None:
    """Install the CRD as it is checked in, and wait until it is served."""
    api = Api(cluster)
    crd = yaml.safe_load((ROOT / "crds" / "wakala.com_wakalaservices.yaml").read_text())
    api.call("POST", "apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    until(lambda: served(api))
