"""Events on the service, for `kubectl describe`: one for each thing that happened, never repeated.

An Event's name is a digest of what it says, so that a repeat finds the first one, also after a restart, and moves its
time. That happens at most once in ten minutes: Events live in etcd like everything else (trap T14).
"""

import hashlib
from typing import Any

from wakala_api.names import MANAGER
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import AlreadyThere, ClusterError
from wakala_operator.judge.decisions import Decided
from wakala_operator.kinds import EVENT

__all__ = ["Recorder"]

QUIET = 600.0
MOST = 2000
LONGEST = 1000


class Recorder:
    """Writes Events and remembers which it wrote lately."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._told: dict[str, float] = {}

    async def tell(
        self, cluster: Cluster, service: dict[str, Any], decided: Decided, *, now: float, time: str
    ) -> None:
        """Write one Event, or move the time of the one that says the same; a failure to do so never fails a pass.

        Args:
            cluster: where.
            service: the service it is about.
            decided: what happened.
            now: monotonic seconds.
            time: RFC 3339, UTC.
        """
        metadata = service["metadata"]
        said = f"{metadata['uid']}/{decided.reason}/{decided.message}"
        name = f"{metadata['name']}.{hashlib.sha256(said.encode()).hexdigest()[:16]}"
        if now - self._told.get(name, -QUIET) < QUIET:
            return
        self._told[name] = now
        while len(self._told) > MOST:
            self._told.pop(next(iter(self._told)))
        try:
            await cluster.create(EVENT, _event(service, name, decided, time))
        except AlreadyThere:
            await _again(cluster, metadata["namespace"], name, time)
        except ClusterError:
            self._told.pop(name, None)


async def _again(cluster: Cluster, namespace: str, name: str, time: str) -> None:
    """A repeat of an Event: only its time moves, as its count is not known here."""
    try:
        await cluster.merge(EVENT, namespace, name, {"lastTimestamp": time})
    except ClusterError:
        return


def _event(service: dict[str, Any], name: str, decided: Decided, time: str) -> dict[str, Any]:
    metadata = service["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": metadata["namespace"]},
        "involvedObject": {
            "apiVersion": service["apiVersion"],
            "kind": service["kind"],
            "namespace": metadata["namespace"],
            "name": metadata["name"],
            "uid": metadata["uid"],
        },
        "type": "Warning" if decided.warning else "Normal",
        "reason": decided.reason,
        "message": decided.message[:LONGEST],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "reportingInstance": MANAGER,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
