"""What every pass works with: the cluster, the picture of it, the clock, and what is remembered."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.events import Recorder
from wakala_operator.observe.store import Store
from wakala_operator.reconcile.memory import Memory
from wakala_operator.settings import Settings

__all__ = ["Key", "World"]

Key = tuple[str, str]
"""Namespace and name of a service."""


def _utc() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class World:
    """One process's view."""

    cluster: Cluster
    settings: Settings
    store: Store = field(default_factory=Store)
    recorder: Recorder = field(default_factory=Recorder)
    memories: dict[Key, Memory] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic
    """Seconds, for waiting."""
    utc: Callable[[], str] = _utc
    """RFC 3339, for people."""

    def memory(self, key: Key) -> Memory:
        """What is remembered of a service; begins empty."""
        return self.memories.setdefault(key, Memory())
