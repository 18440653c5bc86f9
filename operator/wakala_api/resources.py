"""What one pod may use: CPU, memory, disk, and the two scratch volumes of the guide.

The numbers are the guide's ("Container Resource Optimization"). A memory-backed volume is charged to the container's
memory limit (trap G14), so the sum of both is checked here for the API server and once more after `podTemplatePatch`.
"""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from wakala_api.base import Model, Rule, given
from wakala_api.units import Quantity, parse

__all__ = [
    "CacheVolume",
    "Limits",
    "Medium",
    "Requests",
    "Resources",
    "TmpVolume",
    "Volumes",
]

Medium = Literal["Memory", "Disk"]


def _bounded(key: str, most: str) -> Rule:
    """A resource that is given is more than nothing and no more than a machine can have."""
    escaped = key.replace("-", "__dash__")
    attribute = key.replace("-", "_")

    def holds(amounts: "Requests | Limits") -> bool:
        return 0 < parse(getattr(amounts, attribute)) <= parse(most)

    return Rule(
        cel=f"!has(self.{escaped}) || (quantity(string(self.{escaped})).isGreaterThan(quantity('0')) && "
        f"quantity(string(self.{escaped})).compareTo(quantity('{most}')) <= 0)",
        holds=holds,
        message=f"{key} wants more than 0 and at most {most}",
    )


_BOUNDS = (
    _bounded("cpu", "1024"),
    _bounded("memory", "24Ti"),
    _bounded("ephemeral-storage", "64Ti"),
)


class Requests(Model):
    """What the scheduler sets aside for one pod."""

    constraints = _BOUNDS

    cpu: Quantity = "500m"
    """CPU set aside, in cores. 500m is the guide's; the autoscaler's target is a share of it."""
    memory: Quantity = "512Mi"
    """Memory set aside. 512Mi is the guide's; with the memory-backed volumes it must fit limits.memory."""
    ephemeral_storage: Quantity = Field("1Gi", alias="ephemeral-storage")
    """Node disk set aside for logs and disk-backed scratch. 1Gi is the guide's."""


class Limits(Model):
    """What one pod is held to."""

    constraints = _BOUNDS

    cpu: Quantity = "1000m"
    """CPU ceiling, in cores; `runtime.workers: auto` follows it. 1000m is the guide's."""
    memory: Quantity = "1Gi"
    """Memory ceiling: the container is killed beyond it. Memory-backed volumes count. 1Gi is the guide's."""
    ephemeral_storage: Quantity = Field("2Gi", alias="ephemeral-storage")
    """Node disk ceiling: the pod is evicted beyond it. 2Gi is the guide's."""


def _at_most(key: str, request: str, limit: str) -> Rule:
    """The request of one resource is at most its limit, each with the guide's value where it is not given."""
    escaped = key.replace("-", "__dash__")
    attribute = key.replace("-", "_")

    def holds(resources: "Resources") -> bool:
        asked, most = getattr(resources.requests, attribute), getattr(resources.limits, attribute)
        return parse(asked) <= parse(most)

    return Rule(
        cel=f"quantity({given(f'requests.{escaped}', request)})"
        f".compareTo(quantity({given(f'limits.{escaped}', limit)})) <= 0",
        holds=holds,
        message=f"requests.{key} ({request} when not given) wants to be at most limits.{key} "
        f"({limit} when not given); raise the limit or lower the request",
    )


class Resources(Model):
    """Requests and limits of the service's container."""

    constraints = (
        _at_most("cpu", "500m", "1000m"),
        _at_most("memory", "512Mi", "1Gi"),
        _at_most("ephemeral-storage", "1Gi", "2Gi"),
    )

    requests: Requests = Field(default_factory=Requests)
    """What is set aside; absent, the guide's: cpu 500m, memory 512Mi, ephemeral-storage 1Gi."""
    limits: Limits = Field(default_factory=Limits)
    """What is allowed; absent, the guide's: cpu 1000m, memory 1Gi, ephemeral-storage 2Gi."""


def _volume_bound(most: str) -> Rule:
    """A volume has a size, and no more than a node can have."""
    holds: Callable[[TmpVolume | CacheVolume], bool] = lambda volume: (  # noqa: E731
        0 < parse(volume.size_limit) <= parse(most)
    )
    return Rule(
        cel="!has(self.sizeLimit) || (quantity(string(self.sizeLimit)).isGreaterThan(quantity('0')) && "
        f"quantity(string(self.sizeLimit)).compareTo(quantity('{most}')) <= 0)",
        holds=holds,
        message=f"sizeLimit wants more than 0 and at most {most}",
    )


class TmpVolume(Model):
    """The scratch volume at /tmp; the root file system is read-only."""

    constraints = (_volume_bound("24Ti"),)

    size_limit: Quantity = "100Mi"
    """Most that /tmp holds; a write beyond it fails (Memory) or evicts the pod (Disk). 100Mi is the guide's."""
    medium: Medium = "Memory"
    """Memory (the guide's): fast, and counted against limits.memory. Disk: the node's disk."""


class CacheVolume(Model):
    """The scratch volume at /app/.cache."""

    constraints = (_volume_bound("24Ti"),)

    size_limit: Quantity = "500Mi"
    """Most that /app/.cache holds. 500Mi is the guide's."""
    medium: Medium = "Disk"
    """Disk (the guide's): the node's disk, counted against ephemeral-storage. Memory: counted against limits.memory."""


class Volumes(Model):
    """Writable scratch of each pod; both are empty at start and gone with the pod."""

    tmp: TmpVolume = Field(default_factory=TmpVolume)
    """/tmp; absent, the guide's 100Mi in memory."""
    cache: CacheVolume = Field(default_factory=CacheVolume)
    """/app/.cache; absent, the guide's 500Mi on disk."""
