"""`WakalaService`: the one object a team applies.

`image` is all it needs; everything else has the guide's value or is left out. An absent section builds nothing or, where
the guide has an answer for every service (resources, probes, rollout), means the guide's values. The order of the fields
is the order of the reference page: workload first, then runtime, then what stands behind and around the service.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from wakala_api.base import Model, Rule, given, keyed, text
from wakala_api.cache import Cache
from wakala_api.checklist import Checklist
from wakala_api.conditions import Condition
from wakala_api.database import Database
from wakala_api.environment import EnvFrom, EnvVar, LocalName
from wakala_api.monitoring import Monitoring
from wakala_api.names import API_VERSION, KIND
from wakala_api.node import NodeTuningSpec
from wakala_api.probes import Probes
from wakala_api.resources import CacheVolume, Resources, TmpVolume, Volumes
from wakala_api.runtime import Runtime
from wakala_api.units import Count, parse
from wakala_api.workload import (
    Autoscaling,
    Disruption,
    Dns,
    NetworkPolicy,
    Port,
    Rollout,
    Scheduling,
)

__all__ = [
    "Decision",
    "InventoryEntry",
    "Metadata",
    "PodTemplatePatch",
    "WakalaService",
    "WakalaServiceSpec",
    "WakalaServiceStatus",
    "memory_asked",
]

IMAGE_PATTERN = (
    r"^([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$"
)
NAME_PATTERN = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"
MOST_NAME = 50

POD_SYSCTLS = (
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
)
"""Settings of a pod's own network that a kubelet of Kubernetes 1.32 allows without being told to (trap G6)."""


class PodTemplateMetadata(Model):
    """Labels and annotations added to the pods."""

    labels: (
        Annotated[
            dict[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=63)]],
            Field(max_length=20),
        ]
        | None
    ) = None
    """Labels."""
    annotations: (
        Annotated[
            dict[Annotated[str, Field(max_length=317)], Annotated[str, Field(max_length=8192)]],
            Field(max_length=50),
        ]
        | None
    ) = None
    """Annotations."""


class PodTemplatePatch(Model):
    """Laid over the pod template that the other fields make. While it is in use, condition TemplatePatched says so."""

    free = frozenset({"spec"})

    metadata: PodTemplateMetadata | None = None
    """Labels and annotations added to the pods."""
    spec: (
        Annotated[
            dict[str, Any],
            Field(
                json_schema_extra={
                    "x-kubernetes-preserve-unknown-fields": True,
                    "maxProperties": 40,
                }
            ),
        ]
        | None
    ) = None
    """A part of a pod's spec. Maps are merged field by field, and a null takes a field away; containers are merged by name;
    volumes, mounts, env and ports of the same name are replaced as a whole; every other list and value replaces. There
    are no directives. Refused in the result: another ServiceAccount or its token, nodeName, host namespaces and ports,
    volumes of the node such as hostPath, privileged, added capabilities, profiles switched off, and our container gone."""


def _memory_parts(spec: "WakalaServiceSpec") -> list[tuple[str, str]]:
    volumes: dict[str, TmpVolume | CacheVolume] = {
        "volumes.tmp": spec.volumes.tmp,
        "volumes.cache": spec.volumes.cache,
    }
    return [("resources.requests.memory", spec.resources.requests.memory)] + [
        (f"{name}.sizeLimit", volume.size_limit)
        for name, volume in volumes.items()
        if volume.medium == "Memory"
    ]


def memory_asked(spec: "WakalaServiceSpec") -> tuple[Decimal, str]:
    """Bytes that requests.memory and the memory-backed volumes add up to, and the sum in words."""
    parts = _memory_parts(spec)
    total = sum((parse(amount) for _, amount in parts), Decimal(0))
    return total, " + ".join(f"{name} {amount}" for name, amount in parts)


def _is_name(name: str) -> bool:
    return len(name) <= MOST_NAME and re.fullmatch(NAME_PATTERN, name) is not None


_REQUEST = given("resources.requests.memory", "512Mi")
_LIMIT = given("resources.limits.memory", "1Gi")
_TMP = given("volumes.tmp.sizeLimit", "100Mi")
_CACHE = given("volumes.cache.sizeLimit", "500Mi")
_TMP_COUNTS = given("volumes.tmp.medium", "Memory") + " == 'Memory'"
_CACHE_COUNTS = given("volumes.cache.medium", "Disk") + " == 'Memory'"

_MEMORY_FITS = Rule(
    cel=f"quantity({_REQUEST})"
    f".add({_TMP_COUNTS} ? quantity({_TMP}) : quantity('0'))"
    f".add({_CACHE_COUNTS} ? quantity({_CACHE}) : quantity('0'))"
    f".compareTo(quantity({_LIMIT})) <= 0",
    holds=lambda spec: memory_asked(spec)[0] <= parse(spec.resources.limits.memory),
    message="resources.requests.memory plus the sizeLimit of the memory-backed volumes wants to fit "
    "resources.limits.memory, as such a volume is charged to the container; raise the limit or lower one of them",
    cel_message=f"'resources.requests.memory ' + {_REQUEST}"
    f" + ({_TMP_COUNTS} ? ' + volumes.tmp.sizeLimit ' + {_TMP} : '')"
    f" + ({_CACHE_COUNTS} ? ' + volumes.cache.sizeLimit ' + {_CACHE} : '')"
    f" + ' is more than resources.limits.memory ' + {_LIMIT}"
    " + ', to which memory-backed volumes are charged; raise the limit or lower one of them'",
    say=lambda spec: (
        f"{memory_asked(spec)[1]} is more than resources.limits.memory {spec.resources.limits.memory}, to which "
        "memory-backed volumes are charged; raise the limit or lower one of them"
    ),
)

_SYSCTLS_SAFE = Rule(
    cel="!has(self.sysctls) || self.sysctls.all(name, name in ["
    + ", ".join(f"'{name}'" for name in POD_SYSCTLS)
    + "])",
    holds=lambda spec: set(spec.sysctls or {}) <= set(POD_SYSCTLS),
    message="sysctls wants only settings that are safe in a pod (" + ", ".join(POD_SYSCTLS) + "); "
    "settings of the host belong to nodeTuning.sysctls",
)


class WakalaServiceSpec(Model):
    """What the team wants."""

    constraints = (_MEMORY_FITS, _SYSCTLS_SAFE)

    image: Annotated[str, text(pattern=IMAGE_PATTERN, most=512)]
    """The service's image. A fixed tag or digest makes a rollback possible; `latest` does not (trap G17)."""
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When the node fetches the image; IfNotPresent starts fastest."""
    image_pull_secrets: Annotated[
        list[LocalName] | None, Field(max_length=10, json_schema_extra=keyed("name"))
    ] = None
    """Secrets with which the node fetches the image."""
    command: (
        Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None
    ) = None
    """Replaces the image's entry point; absent: the image's own, with gunicorn's settings in GUNICORN_CMD_ARGS."""
    args: Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=64)] | None = (
        None
    )
    """Replaces the image's arguments."""
    port: Port = 8000
    """Port the service listens on and the Service offers; 8000 is the guide's."""
    replicas: Count = 10
    """Number of pods; 10 is the guide's. Ignored while `autoscaling` is set."""
    autoscaling: Autoscaling | None = None
    """Leaves the number of pods to a HorizontalPodAutoscaler; absent: `replicas`."""
    resources: Resources = Field(default_factory=Resources)
    """CPU, memory and disk of one pod; absent, the guide's."""
    env: Annotated[list[EnvVar] | None, Field(max_length=100, json_schema_extra=keyed("name"))] = (
        None
    )
    """Environment variables; an entry replaces the guide's of the same name."""
    env_from: Annotated[list[EnvFrom], Field(max_length=20)] | None = None
    """Secrets and ConfigMaps whose entries all become variables."""
    probes: Probes = Field(default_factory=Probes)
    """Start-up, readiness and liveness; absent, the guide's, without liveness."""
    scheduling: Scheduling = Field(default_factory=Scheduling)
    """Nodes preferred, needed and tolerated; absent, the guide's preference."""
    volumes: Volumes = Field(default_factory=Volumes)
    """Scratch volumes; absent, the guide's."""
    dns: Dns = Field(default_factory=Dns)
    """Name resolution; absent, the guide's."""
    sysctls: (
        Annotated[
            dict[
                Annotated[str, Field(max_length=64)],
                Annotated[str, text(pattern=r"^[0-9][0-9 ,-]*$", most=128)],
            ],
            Field(max_length=12),
        ]
        | None
    ) = None
    """Settings of the pods' own network. Absent, those of the guide's that are safe in a pod; {} none. A namespace that
    enforces Pod Security of an older version may refuse the newer ones: then give what it allows, or {}."""
    rollout: Rollout = Field(default_factory=Rollout)
    """How pods are replaced; absent, without a lost request."""
    disruption: Disruption = Field(default_factory=Disruption)
    """What a drain may take; absent, one pod at a time."""
    network_policy: NetworkPolicy = Field(default_factory=NetworkPolicy)
    """Who may call and be called; absent, `port` from anywhere, and out only DNS, database.port and cache.port."""
    pod_template_patch: PodTemplatePatch | None = None
    """The escape hatch: laid over the pod template."""
    paused: bool = False
    """true: the operator leaves everything as it is, drift included, and keeps the last Ready with reason Paused."""
    operator_class: Annotated[
        str, text(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", most=63, least=0)
    ] = ""
    """Which installation of the operator looks after this service; empty: the one without a class."""
    runtime: Runtime = Field(default_factory=Runtime)
    """The service's process; absent, the guide's."""
    database: Database | None = None
    """The PostgreSQL behind the service; absent: none."""
    cache: Cache | None = None
    """The Redis behind the service; absent: none."""
    node_tuning: NodeTuningSpec | None = None
    """What its nodes shall have; absent: nodes are left alone."""
    monitoring: Monitoring | None = None
    """Alerts, scraping and dashboard; absent: none."""
    checklist: Checklist | None = None
    """The guide's checklist; absent: not kept."""


class Decision(Model):
    """Something the operator did, and the field or fact that made it."""

    time: Annotated[str, text(most=40)]
    """When (RFC 3339, UTC)."""
    reason: Annotated[str, text(pattern=r"^[A-Z][A-Za-z0-9]*$", most=63)]
    """What kind of thing, in one word."""
    message: Annotated[str, Field(max_length=512)]
    """What was done and why."""


class InventoryEntry(Model):
    """One object of the service; for readers only, nothing is decided by it."""

    kind: Annotated[str, text(most=63)]
    """Its kind."""
    name: Annotated[str, text(most=253)]
    """Its name, in the service's namespace."""


class WakalaServiceStatus(Model):
    """What is true."""

    observed_generation: Annotated[int, Field(ge=-1)] = -1
    """The generation of the spec that the conditions speak of; -1: not seen yet."""
    conditions: Annotated[
        list[Condition] | None, Field(max_length=20, json_schema_extra=keyed("type"))
    ] = None
    """What is true, false or unknown; Ready first."""
    replicas: Annotated[int, Field(ge=0)] | None = None
    """Pods there are."""
    ready_replicas: Annotated[int, Field(ge=0)] | None = None
    """Pods that are ready."""
    selector: Annotated[str, Field(max_length=512)] | None = None
    """Label selector of the pods, for the scale subresource."""
    inventory: Annotated[list[InventoryEntry], Field(max_length=32)] | None = None
    """Objects that belong to the service; for readers only."""
    decisions: Annotated[list[Decision], Field(max_length=10)] | None = None
    """The last ten things the operator did, newest first."""


class Metadata(Model):
    """The part of an object's metadata that matters here."""

    name: str
    """The service's name, and that of its objects."""
    namespace: str = "default"
    """Its namespace, and that of its objects."""
    uid: str = ""
    """Its identity in the cluster; empty offline."""
    generation: int = 0
    """Counts changes of the spec."""
    annotations: dict[str, str] = Field(default_factory=dict)
    """Its annotations."""
    labels: dict[str, str] = Field(default_factory=dict)
    """Its labels."""
    deletion_timestamp: str | None = None
    """When it was asked to go."""


class WakalaService(Model):
    """A Python API service with PostgreSQL and Redis behind it, as one object."""

    constraints = (
        Rule(
            cel=f"self.metadata.name.size() <= {MOST_NAME} && self.metadata.name.matches('{NAME_PATTERN}')",
            holds=lambda service: _is_name(service.metadata.name),
            message=f"metadata.name wants at most {MOST_NAME} small letters, digits and dashes, beginning with a letter, "
            "as a Service takes its name",
        ),
    )

    api_version: Literal["wakala.com/v1alpha1"] = API_VERSION
    """Always wakala.com/v1alpha1."""
    kind: Literal["WakalaService"] = KIND
    """Always WakalaService."""
    metadata: Metadata
    """Name, namespace, labels and annotations."""
    spec: WakalaServiceSpec
    """What the team wants."""
    status: WakalaServiceStatus | None = None
    """What is true; written by the operator alone."""
