"""One look at one service: what it asks for, and what is there. Everything a pass decides on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wakala_api.names import LABEL_SERVICE
from wakala_api.problems import Problem, read, unknown_fields
from wakala_api.service import WakalaService
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import ClusterError
from wakala_operator.kinds import POD, WAKALASERVICE
from wakala_operator.observe.store import Store

__all__ = ["Observation", "look", "pods_of"]

Object = dict[str, Any]
MOST_PODS = 50


@dataclass(frozen=True, slots=True)
class Observation:
    """A service and its objects at one moment."""

    raw: Object
    """The service as the API server has it."""
    service: WakalaService | None
    """The same, parsed; None where it can't be."""
    problems: tuple[Problem, ...]
    """Why it can't be parsed."""
    unknown: tuple[str, ...]
    """Fields that this version passes over."""
    children: tuple[Object, ...]
    """The objects whose controller it is."""

    def child(self, wanted: Object) -> Object | None:
        """The live object that `wanted` is meant to become."""
        name = wanted["metadata"]["name"]
        return next(
            (
                c
                for c in self.children
                if c["kind"] == wanted["kind"] and c["metadata"]["name"] == name
            ),
            None,
        )


def look(store: Store, namespace: str, name: str) -> Observation | None:
    """The service as the watches show it; None when it is gone or going."""
    raw = store.get(WAKALASERVICE, namespace, name)
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return None
    parsed = read(raw, strict=False)
    service, problems = (parsed, ()) if isinstance(parsed, WakalaService) else (None, tuple(parsed))
    return Observation(
        raw,
        service,
        problems,
        unknown_fields(raw) if service is not None else (),
        tuple(store.children(raw["metadata"]["uid"])),
    )


async def pods_of(cluster: Cluster, namespace: str, name: str) -> Sequence[Object]:
    """Some of the service's pods, to say what keeps them; none when they can't be read."""
    try:
        listed = await cluster.list(
            POD, namespace, labels=f"{LABEL_SERVICE}={name}", most=MOST_PODS
        )
    except ClusterError:
        return ()
    return listed.items
