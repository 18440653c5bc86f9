"""Where a live object is not what was wanted, by meaning and not by spelling.

Only the leaves of the wanted object are looked at: what others added is nobody's drift. `1000m` is `1`, an empty value is
an absent one, and the items of a keyed list are compared wherever they stand, as the API server merges them.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wakala_api.names import ANNOTATION_ACCEPTED, ANNOTATION_APPLIED
from wakala_api.units import parse

__all__ = ["Difference", "describe", "differences", "digest", "digest_of", "other_managers", "owns"]

KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "containers": (("name",),),
    "initContainers": (("name",),),
    "volumes": (("name",),),
    "env": (("name",),),
    "imagePullSecrets": (("name",),),
    "volumeMounts": (("mountPath",),),
    "ports": (("containerPort", "protocol"), ("port", "protocol")),
    "topologySpreadConstraints": (("topologyKey", "whenUnsatisfiable"),),
    "ownerReferences": (("uid",),),
    "hostAliases": (("ip",),),
}
"""Lists that the API server merges by key; the first key set that all items have is used."""
EXACT = {"ingress", "egress"}
"""A NetworkPolicy's lists: one peer more is a hole, so that they are compared both ways. The builder writes the API
server's defaults in them out."""
KEY_DEFAULTS = {"protocol": "TCP"}
QUANTITIES = {"requests", "limits"}
"""Maps whose values are quantities."""
HIDDEN = {"env", "data", "stringData"}
"""Under these, values are not repeated to anybody."""
LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that is not as wanted."""

    path: str
    """Where, such as spec.template.spec.containers[api].image."""
    wanted: Any
    """What was wanted."""
    live: Any
    """What is there; None for nothing."""


def differences(wanted: Any, live: Any) -> list[Difference]:
    """All leaves of `wanted` that differ in meaning from `live`."""
    return list(_walk(wanted, live, (), ""))


def _walk(wanted: Any, live: Any, trail: tuple[str, ...], path: str) -> Iterator[Difference]:
    if _empty(wanted) and _empty(live):
        return
    if trail and trail[-1] in EXACT:
        if wanted != live:
            yield Difference(path, wanted, live)
        return
    if isinstance(wanted, dict) and isinstance(live, dict):
        for name, value in wanted.items():
            yield from _walk(
                value, live.get(name), (*trail, name), f"{path}.{name}" if path else name
            )
    elif isinstance(wanted, list) and isinstance(live, list):
        yield from _walk_list(wanted, live, trail, path)
    elif not _same(wanted, live, trail):
        yield Difference(path, wanted, live)


def _walk_list(
    wanted: list[Any], live: list[Any], trail: tuple[str, ...], path: str
) -> Iterator[Difference]:
    keys = _keys(trail[-1] if trail else "", wanted, live)
    if keys is not None:
        there = {_mark(item, keys): item for item in live}
        for item in wanted:
            mark = _mark(item, keys)
            yield from _walk(item, there.get(mark), trail, f"{path}[{mark[0]}]")
    elif len(wanted) != len(live):
        yield Difference(path, wanted, live)
    else:
        for index, (item, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _walk(item, other, trail, f"{path}[{index}]")


def _keys(name: str, wanted: list[Any], live: list[Any]) -> tuple[str, ...] | None:
    """The key set by which the items of this list are told apart, if it has one."""
    items = [*wanted, *live]
    if not all(isinstance(item, dict) for item in items):
        return None
    for keys in KEYS.get(name, ()):
        if all(keys[0] in item for item in items) and _distinct(live, keys):
            return keys
    return None


def _distinct(items: list[Any], keys: tuple[str, ...]) -> bool:
    return len({_mark(item, keys) for item in items}) == len(items)


def _mark(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(key, KEY_DEFAULTS.get(key)) for key in keys)


def _empty(value: Any) -> bool:
    return value is None or value in ("", {}, [])


def _same(wanted: Any, live: Any, trail: tuple[str, ...]) -> bool:
    if type(wanted) is type(live) and wanted == live:
        return True
    if not _is_quantity(trail) or not all(isinstance(v, str | int) for v in (wanted, live)):
        return False
    try:
        return parse(wanted) == parse(live)
    except ValueError:
        return False


def _is_quantity(trail: tuple[str, ...]) -> bool:
    return trail[-1:] == ("sizeLimit",) or (len(trail) > 1 and trail[-2] in QUANTITIES)


def describe(difference: Difference) -> str:
    """The difference in words: the field, and both values unless they may be somebody's secret."""
    parts = {part.partition("[")[0] for part in difference.path.split(".")}
    if (
        parts & HIDDEN
        or isinstance(difference.wanted, dict | list)
        or isinstance(difference.live, dict | list)
    ):
        return difference.path
    return f"{difference.path} is {_cut(difference.live)} instead of {_cut(difference.wanted)}"


def _cut(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def digest(wanted: dict[str, Any]) -> str:
    """Sixteen hex digits that stand for all we ask for, our own bookkeeping annotations aside."""
    annotations = {
        name: value
        for name, value in wanted["metadata"].get("annotations", {}).items()
        if name not in {ANNOTATION_APPLIED, ANNOTATION_ACCEPTED}
    }
    return _hash(wanted | {"metadata": wanted["metadata"] | {"annotations": annotations}})


def digest_of(found: list[Difference]) -> str:
    """Sixteen hex digits that stand for what somebody made of our values."""
    return _hash(sorted((difference.path, json.dumps(difference.live)) for difference in found))


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def owns(live: dict[str, Any], manager: str, *fields: str) -> bool:
    """Whether `manager` holds the field at this path of plain names by server-side apply."""
    return any(
        _holds(entry.get("fieldsV1", {}), fields)
        for entry in live["metadata"].get("managedFields", [])
        if entry.get("manager") == manager
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    )


def _holds(owned: dict[str, Any], fields: tuple[str, ...]) -> bool:
    for field in fields:
        if f"f:{field}" not in owned:
            return False
        owned = owned[f"f:{field}"]
    return True


def other_managers(live: dict[str, Any], difference: Difference, ours: str) -> list[str]:
    """Who else holds the differing field, by the field names on its path; newest first."""
    names = tuple(part.partition("[")[0] for part in difference.path.split("."))
    entries = sorted(
        live["metadata"].get("managedFields", []),
        key=lambda entry: entry.get("time", ""),
        reverse=True,
    )
    return [
        entry["manager"]
        for entry in entries
        if entry.get("manager") != ours and _touches(entry.get("fieldsV1", {}), names)
    ]


def _touches(owned: dict[str, Any], names: tuple[str, ...]) -> bool:
    """Whether owned fields lie on the path, stepping over the keys of list items."""
    if not names:
        return True
    steps = [owned[f"f:{names[0]}"]] if f"f:{names[0]}" in owned else []
    found = any(_touches(step, names[1:]) for step in steps)
    return found or any(
        _touches(inner, names) for key, inner in owned.items() if key.startswith(("k:", "v:"))
    )
