"""The kinds the operator deals with, and where the API server keeps them. Data and two look-ups."""

from dataclasses import dataclass
from typing import Any

from wakala_api.names import API_VERSION, KIND, PLURAL

__all__ = [
    "CHILDREN",
    "CONFIG_MAP",
    "DEPLOYMENT",
    "EVENT",
    "LEASE",
    "POD",
    "SECRET",
    "WAKALASERVICE",
    "Kind",
    "kind_of",
    "path",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind of the API."""

    api_version: str
    kind: str
    plural: str

    @property
    def group(self) -> str:
        """Its API group; "" for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """Its API version without the group."""
        return self.api_version.rpartition("/")[2]


SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
CONFIG_MAP = Kind("v1", "ConfigMap", "configmaps")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
SERVICE = Kind("v1", "Service", "services")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
NETWORK_POLICY = Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies")

CHILDREN = (
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    DEPLOYMENT,
    SERVICE,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
)
"""What a service may own; watched, made, changed and deleted by us."""

WAKALASERVICE = Kind(API_VERSION, KIND, PLURAL)
SECRET = Kind("v1", "Secret", "secrets")
POD = Kind("v1", "Pod", "pods")
EVENT = Kind("v1", "Event", "events")
LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in (*CHILDREN, WAKALASERVICE, SECRET, POD)}


def kind_of(obj: dict[str, Any]) -> Kind:
    """The kind of an object, by its apiVersion and kind.

    Raises:
        KeyError: it is none of ours.
    """
    return _BY_NAME[obj["apiVersion"], obj["kind"]]


def path(kind: Kind, namespace: str | None, name: str | None = None) -> str:
    """The URL path of one object, of a namespace's objects, or (without a namespace) of all of that kind."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    place = f"/namespaces/{namespace}" if namespace else ""
    return f"{root}{place}/{kind.plural}" + (f"/{name}" if name else "")
