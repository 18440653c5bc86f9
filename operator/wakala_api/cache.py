"""The Redis behind the service: its connection, the pool each worker opens, what is unhealthy."""

from typing import Annotated

from pydantic import Field

from wakala_api.base import Model
from wakala_api.database import Connection
from wakala_api.workload import Port

__all__ = ["Cache", "CacheKeepalives", "CacheThresholds"]


class CacheKeepalives(Model):
    """TCP keepalive of the Redis connections.

    The guide's option numbers 1, 2, 3 are other options on Linux and fail (trap G19); its values are kept, under the
    right names.
    """

    idle_seconds: Annotated[int, Field(ge=1, le=7200)] = 1
    """Seconds of silence before the first probe (TCP_KEEPIDLE); 1 is the guide's."""
    interval_seconds: Annotated[int, Field(ge=1, le=7200)] = 5
    """Seconds between probes (TCP_KEEPINTVL); 5 is the guide's."""
    count: Annotated[int, Field(ge=1, le=100)] = 3
    """Unanswered probes before the connection is given up (TCP_KEEPCNT); 3 is the guide's."""


class CacheThresholds(Model):
    """What the live check calls unhealthy."""

    hit_ratio_percent: Annotated[int, Field(ge=0, le=100)] = 90
    """Least share of look-ups answered by the cache; 90 is the guide's checklist."""
    memory_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Most of maxmemory in use, where the policy does not evict; 80 is the guide's checklist."""


class Cache(Model):
    """The Redis behind the service."""

    connection: Connection
    """Where the connection stands; the pods get it as REDIS_URL."""
    port: Port = 6379
    """TCP port the NetworkPolicy opens towards the server."""
    pool_size: Annotated[int, Field(ge=1, le=10000)] = 50
    """Connections one worker keeps open; 50 is the guide's."""
    keepalives: CacheKeepalives = Field(default_factory=CacheKeepalives)
    """TCP keepalive; absent, the guide's numbers."""
    ttl_seconds: Annotated[int, Field(ge=1, le=31536000)] = 300
    """How long an entry lives when its writer does not say; 300 is the guide's."""
    thresholds: CacheThresholds = Field(default_factory=CacheThresholds)
    """What the live check calls unhealthy; absent, the guide's numbers."""
