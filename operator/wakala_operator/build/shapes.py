"""Reading a template that somebody patched: what has the wrong shape is nothing here, and the API server's to refuse."""

from typing import Any

from wakala_operator.build.context import Object

__all__ = ["as_map", "as_maps", "containers"]


def as_map(value: Any) -> Object:
    """The value if it is a map, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_maps(value: Any) -> list[Object]:
    """The maps in a list; none where the value is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def containers(pod: Object) -> list[Object]:
    """All containers of a pod, those that run before the others first."""
    return [c for part in ("initContainers", "containers") for c in as_maps(pod.get(part))]
