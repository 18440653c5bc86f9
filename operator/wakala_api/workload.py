"""How many pods, where, how they are replaced, and who may talk to them."""

import ipaddress
from typing import Annotated, Literal

from pydantic import Field

from wakala_api.base import Model, Rule, text, unique
from wakala_api.names import DNS_NAME
from wakala_api.units import Count, IntOrPercent

__all__ = [
    "Autoscaling",
    "Disruption",
    "Dns",
    "EgressPort",
    "IpBlock",
    "LabelMap",
    "LabelSelector",
    "NetworkPolicy",
    "Peer",
    "Port",
    "Rollout",
    "Scheduling",
    "Toleration",
]

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP or UDP port."""
LabelKey = Annotated[
    str,
    text(
        pattern=rf"^({DNS_NAME}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$",
        most=317,
    ),
]
LabelValue = Annotated[
    str, text(pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$", most=63, least=0)
]
LabelMap = Annotated[dict[LabelKey, LabelValue], Field(max_length=20)]
"""Labels, name to value."""
Percent = Annotated[int, Field(ge=1, le=1000)]


class Autoscaling(Model):
    """Leaves the number of pods to a HorizontalPodAutoscaler; `replicas` is then ignored."""

    constraints = (
        Rule(
            cel="self.minReplicas <= self.maxReplicas",
            holds=lambda scaling: scaling.min_replicas <= scaling.max_replicas,
            message="autoscaling.minReplicas (2 when not given) wants to be at most autoscaling.maxReplicas; "
            "raise the maximum or lower the minimum",
        ),
    )

    min_replicas: Annotated[int, Field(ge=1, le=1000)] = 2
    """Fewest pods; 2, so that the loss of one node does not take the service."""
    max_replicas: Annotated[int, Field(ge=1, le=1000)]
    """Most pods. Each opens workers x (pool + overflow) database connections: count them before raising it."""
    target_cpu_utilization: Percent = Field(70, alias="targetCPUUtilization")
    """Mean CPU use to hold, in percent of requests.cpu; 70 is the guide's checklist."""
    target_memory_utilization: Percent | None = None
    """Mean memory use to hold, in percent of requests.memory. Absent: not used, as Python seldom gives memory back."""
    scale_down_stabilization_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    """Seconds the load must stay low before pods are taken away; 300 is Kubernetes' own."""


class Toleration(Model):
    """A taint of nodes that the pods may run on all the same."""

    constraints = (
        Rule(
            cel="!(has(self.operator) && self.operator == 'Exists' && has(self.value) && self.value != '')",
            holds=lambda toleration: not (toleration.operator == "Exists" and toleration.value),
            message="a toleration with operator Exists wants no value",
        ),
        Rule(
            cel="has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            holds=lambda toleration: toleration.key is not None or toleration.operator == "Exists",
            message="a toleration without a key wants operator Exists",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            holds=lambda toleration: (
                toleration.toleration_seconds is None or toleration.effect == "NoExecute"
            ),
            message="tolerationSeconds goes with effect NoExecute only",
        ),
    )

    key: LabelKey | None = None
    """The taint's key; absent with operator Exists: every taint."""
    operator: Literal["Equal", "Exists"] | None = None
    """Equal (when not given): key and value match. Exists: the key is enough."""
    value: LabelValue | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; absent: all."""
    toleration_seconds: Annotated[int, Field(ge=0, le=604800)] | None = None
    """How long a pod stays on a node that gets a NoExecute taint; absent: for ever."""


class Scheduling(Model):
    """Which nodes the pods prefer, need and tolerate."""

    preferred_instance_types: Annotated[
        list[LabelValue], Field(max_length=50, json_schema_extra=unique())
    ] = Field(default=["c5.xlarge", "c5.2xlarge"])
    """Node types preferred by label node.kubernetes.io/instance-type, weight 100; never required, as a required one
    leaves pods pending elsewhere (trap T21). c5.xlarge and c5.2xlarge are the guide's; [] prefers none."""
    node_selector: LabelMap | None = None
    """Labels a node must have."""
    tolerations: Annotated[list[Toleration], Field(max_length=50)] | None = None
    """Taints the pods accept."""
    priority_class_name: Annotated[str, text(pattern=rf"^{DNS_NAME}$")] | None = None
    """PriorityClass of the pods; it must exist."""
    spread: Literal["ScheduleAnyway", "DoNotSchedule"] = "ScheduleAnyway"
    """Pods are spread evenly over zones and hosts: as far as possible, or not scheduled otherwise."""


class Dns(Model):
    """How the pods resolve names."""

    policy: Literal["ClusterFirst", "Default"] = "ClusterFirst"
    """ClusterFirst (the guide's): the cluster's DNS. Default: the node's."""
    ndots: Annotated[int, Field(ge=0, le=15)] = 1
    """Names with at least this many dots are asked as they are first; 1 (the guide's) saves the search list for
    outside names. A short name without a dot still goes through the search list."""


class Rollout(Model):
    """How old pods are replaced by new ones."""

    constraints = (
        Rule(
            cel="!(string(self.maxSurge) in ['0', '0%'] && string(self.maxUnavailable) in ['0', '0%'])",
            holds=lambda rollout: (
                not ({str(rollout.max_surge), str(rollout.max_unavailable)} <= {"0", "0%"})
            ),
            message="rollout.maxSurge and rollout.maxUnavailable can't both be 0: no pod could ever be replaced",
        ),
        Rule(
            cel="self.minReadySeconds < self.progressDeadlineSeconds",
            holds=lambda rollout: rollout.min_ready_seconds < rollout.progress_deadline_seconds,
            message="rollout.minReadySeconds wants to be under rollout.progressDeadlineSeconds",
        ),
    )

    max_surge: IntOrPercent = "25%"
    """Pods beyond `replicas` while rolling out; they open database connections too."""
    max_unavailable: IntOrPercent = 0
    """Pods that may be missing while rolling out; 0: the old pod leaves after the new one is ready."""
    min_ready_seconds: Annotated[int, Field(ge=0, le=3600)] = 0
    """Seconds a new pod must stay ready before it counts."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=86400)] = 600
    """Seconds without progress before the rollout is called failed (condition Stalled)."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] = 10
    """Old ReplicaSets kept for `kubectl rollout undo`."""
    pre_stop_seconds: Annotated[int, Field(ge=0, le=300)] = 10
    """Seconds a leaving pod still serves, so that every proxy has learned of it before it stops accepting (trap T19)."""


class Disruption(Model):
    """How many pods a drain may take at once, and how many Ready asks for."""

    constraints = (
        Rule(
            cel="!(string(self.maxUnavailable) in ['0', '0%'])",
            holds=lambda disruption: str(disruption.max_unavailable) not in {"0", "0%"},
            message="disruption.maxUnavailable wants at least 1 or 1%: with 0 no node could be drained",
        ),
    )

    max_unavailable: IntOrPercent = 1
    """PodDisruptionBudget: pods a drain may take at once; 1 never blocks a drain, also of a single pod (trap G17c)."""
    min_available_for_ready: Count = 1
    """Pods that must be available for condition Ready; no more than are wanted."""


class LabelSelector(Model):
    """Chooses objects by their labels; all must match."""

    match_labels: LabelMap
    """Labels the object must have; {} chooses every object."""


class IpBlock(Model):
    """A range of addresses."""

    constraints = (
        Rule(
            cel="isCIDR(self.cidr) && cidr(self.cidr) == cidr(self.cidr).masked() && "
            "(!has(self.except) || self.except.all(c, isCIDR(c) && cidr(c) == cidr(c).masked()))",
            holds=lambda block: all(map(_is_cidr, [block.cidr, *(block.except_ or [])])),
            message="an ipBlock wants addresses in CIDR form, such as 10.0.0.0/8 or fd00::/8, "
            "with nothing set beyond the length",
        ),
        Rule(
            cel="!has(self.except) || !isCIDR(self.cidr) || self.except.all(c, !isCIDR(c) || "
            "(cidr(self.cidr).containsCIDR(c) && cidr(self.cidr).prefixLength() < cidr(c).prefixLength()))",
            holds=lambda block: all(_inside(part, block.cidr) for part in block.except_ or []),
            message="each except of an ipBlock wants to lie inside its cidr and be smaller",
        ),
    )

    cidr: Annotated[str, text(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", most=49)]
    """The range, such as 10.0.0.0/8."""
    except_: (
        Annotated[
            list[Annotated[str, text(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$", most=49)]],
            Field(max_length=16),
        ]
        | None
    ) = Field(None, alias="except")
    """Ranges inside it that are left out."""


def _is_cidr(value: str) -> bool:
    """As CEL and a NetworkPolicy take it: a plain length, nothing set beyond it, no IPv4 within IPv6."""
    length = value.rpartition("/")[2]
    try:
        network = ipaddress.ip_network(value)
    except ValueError:
        return False
    mapped = isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped
    return length == str(network.prefixlen) and not mapped


def _inside(part: str, whole: str) -> bool:
    if not (_is_cidr(part) and _is_cidr(whole)):
        return True  # the other rule says so
    inner, outer = ipaddress.ip_network(part), ipaddress.ip_network(whole)
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer) and inner != outer
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer) and inner != outer
    return False


class Peer(Model):
    """Who may call the service: an address range, or pods chosen by labels."""

    constraints = (
        Rule(
            cel="has(self.ipBlock) ? !has(self.podSelector) && !has(self.namespaceSelector) : "
            "has(self.podSelector) || has(self.namespaceSelector)",
            holds=lambda peer: (
                (peer.ip_block is not None)
                != (peer.pod_selector is not None or peer.namespace_selector is not None)
            ),
            message="a networkPolicy.from entry wants either ipBlock or podSelector and namespaceSelector",
        ),
    )

    pod_selector: LabelSelector | None = None
    """Pods with these labels; with namespaceSelector in those namespaces, else in the service's own."""
    namespace_selector: LabelSelector | None = None
    """Namespaces with these labels."""
    ip_block: IpBlock | None = None
    """A range of addresses."""


class EgressPort(Model):
    """A port the pods may call, on any address: a NetworkPolicy can't name hosts."""

    port: Port
    """The port."""
    protocol: Literal["TCP", "UDP"] | None = None
    """TCP when not given."""


class NetworkPolicy(Model):
    """Who may call the pods and what they may call. Absent: as with all defaults."""

    enabled: bool = True
    """false: no NetworkPolicy is made, and everything is allowed that nobody else forbids."""
    from_: Annotated[list[Peer], Field(min_length=1, max_length=50)] | None = Field(
        None, alias="from"
    )
    """Who may call `port`; absent: anybody."""
    egress_ports: Annotated[list[EgressPort], Field(max_length=50)] | None = None
    """Ports the pods may call beyond DNS, database.port and cache.port; anything else is refused."""
