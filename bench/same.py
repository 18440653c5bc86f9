"""Do both operators make the same objects? If not, the figures compare two different things."""

from collections.abc import Iterator
from typing import Any

__all__ = ["unlike"]

_MAY_DIFFER = (
    "annotations",
    "clusterIP",
    "clusterIPs",
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
    "app.kubernetes.io/managed-by",
    "status",
)
"""Names whose values are the cluster's, or each operator's own bookkeeping."""


def unlike(ours: dict[str, Any], peers: dict[str, Any]) -> list[str]:
    """Paths at which the children of a service differ.

    Args:
        ours: objects by kind.
        peers: the other operator's.
    """
    left, right = (dict(_leaves(objects, "")) for objects in (ours, peers))
    return sorted(path for path in left.keys() | right.keys() if left.get(path) != right.get(path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _MAY_DIFFER:
                yield from _leaves(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{index}]")
    else:
        yield path, value
