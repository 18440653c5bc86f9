"""Where a live object is not what was wanted, by meaning and not by spelling.

Only the leaves of the wanted object are looked at: what others added is nobody's drift. `1000m` is `1`, an empty value is
an absent one, and the items of a keyed list are compared wherever they stand, as the API server merges them.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from wakala_api.names import ANNOTATION_ACCEPTED, ANNOTATION_APPLIED
from wakala_api.units import parse

__all__ = [
    "Difference",
    "Trail",
    "describe",
    "differences",
    "digest",
    "digest_of",
    "field_name",
    "other_managers",
    "owns",
]

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
    "volumeDevices": (("devicePath",),),
}
"""Lists that the API server merges by key; the first key set that all items have is used."""
EXACT = {"ingress", "egress"}
"""A NetworkPolicy's lists: one peer more is a hole, so that they are compared both ways. The builder writes the API
server's defaults in them out."""
KEY_DEFAULTS = {"protocol": "TCP"}
QUANTITY_MAPS = {"requests", "limits"}
"""Maps whose values are quantities."""
QUANTITIES = {"sizeLimit", "divisor", "averageValue"}
"""Fields that are quantities themselves."""
ZERO_IS_ABSENT = {
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "initialDelaySeconds",
    "minReadySeconds",
    "paused",
    "publishNotReadyAddresses",
    "readOnly",
    "stdin",
    "stdinOnce",
    "tty",
}
"""Fields that the API server leaves out when they are 0 or false. Most fields are not like this: there an absent one
means the default, which may be something else."""
HIDDEN = {"env", "data", "stringData", "command", "args", "httpHeaders"}
"""Under these, values are not repeated to anybody."""
LONGEST_VALUE = 60

Step = str | int | tuple[tuple[str, Any], ...]
"""One step down: a field's name, a position in a list, or the keys of an item in a keyed list."""
Trail = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """One leaf that is not as wanted."""

    path: str
    """Where, such as spec.template.spec.containers[api].image."""
    wanted: Any
    """What was wanted."""
    live: Any
    """What is there; None for nothing."""
    trail: Trail = field(default=(), compare=False, repr=False)
    """The path step by step, to find who holds the field."""


def differences(wanted: Any, live: Any) -> list[Difference]:
    """All leaves of `wanted` that differ in meaning from `live`."""
    return list(_walk(wanted, live, ()))


def _walk(wanted: Any, live: Any, trail: Trail) -> Iterator[Difference]:
    if wanted is None or (_empty(wanted) and _empty(live)):
        return
    if trail and trail[-1] in EXACT:
        if wanted != live:
            yield _difference(wanted, live, trail)
    elif isinstance(wanted, dict) and isinstance(live, dict):
        for name, value in wanted.items():
            yield from _walk(value, live.get(name), (*trail, name))
    elif isinstance(wanted, list) and isinstance(live, list):
        yield from _walk_list(wanted, live, trail)
    elif not _same(wanted, live, trail):
        yield _difference(wanted, live, trail)


def _walk_list(wanted: list[Any], live: list[Any], trail: Trail) -> Iterator[Difference]:
    keys = _keys(trail[-1] if trail else "", wanted, live)
    if keys is not None:
        there = {_mark(item, keys): item for item in live}
        for item in wanted:
            mark = _mark(item, keys)
            yield from _walk(item, there.get(mark), (*trail, mark))
    elif len(wanted) != len(live):
        yield _difference(wanted, live, trail)
    else:
        for index, (item, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _walk(item, other, (*trail, index))


def _difference(wanted: Any, live: Any, trail: Trail) -> Difference:
    path = ""
    for step in trail:
        if isinstance(step, str):
            path += f".{step}" if path else step
        else:
            path += f"[{step if isinstance(step, int) else step[0][1]}]"
    return Difference(path, wanted, live, trail)


def _keys(name: Step, wanted: list[Any], live: list[Any]) -> tuple[str, ...] | None:
    """The key set by which the items of this list are told apart, if it has one."""
    items = [*wanted, *live]
    if not isinstance(name, str) or not all(isinstance(item, dict) for item in items):
        return None
    for keys in KEYS.get(name, ()):
        plain = all(isinstance(item.get(keys[0]), str | int) for item in items)
        if plain and len({_mark(item, keys) for item in live}) == len(live):
            return keys
    return None


def _mark(item: dict[str, Any], keys: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    return tuple((key, _plain(item.get(key, KEY_DEFAULTS.get(key)))) for key in keys)


def _plain(value: Any) -> str | int | None:
    """A key's value as something to look up by, also where somebody wrote a list."""
    return value if isinstance(value, str | int | None) else json.dumps(value)


def _empty(value: Any) -> bool:
    return value is None or value in ("", {}, [])


def _same(wanted: Any, live: Any, trail: Trail) -> bool:
    if type(wanted) is type(live) and wanted == live:
        return True
    if live is None and trail and trail[-1] in ZERO_IS_ABSENT:
        return wanted in (0, False)
    if (
        not trail
        or not _is_quantity(trail)
        or not all(isinstance(v, str | int | float) for v in (wanted, live))
    ):
        return False
    try:
        return parse(str(wanted)) == parse(str(live))
    except ValueError:
        return False


def _is_quantity(trail: Trail) -> bool:
    return trail[-1] in QUANTITIES or (len(trail) > 1 and trail[-2] in QUANTITY_MAPS)


def describe(difference: Difference) -> str:
    """The difference in words: the field, and both values unless they may be somebody's secret."""
    if (
        HIDDEN.intersection(difference.trail)
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
    return hashlib.sha256(_compact(value).encode()).hexdigest()[:16]


def _compact(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


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
    for name in fields:
        if f"f:{name}" not in owned:
            return False
        owned = owned[f"f:{name}"]
    return True


def other_managers(live: dict[str, Any], difference: Difference, ours: str) -> list[str]:
    """Who else holds the differing field, newest first."""
    entries = sorted(
        live["metadata"].get("managedFields", []),
        key=lambda entry: entry.get("time", ""),
        reverse=True,
    )
    holders = [
        entry["manager"]
        for entry in entries
        if entry.get("manager") != ours and _leads(entry.get("fieldsV1", {}), difference.trail)
    ]
    return list(dict.fromkeys(holders))


def _leads(owned: dict[str, Any], trail: Trail) -> bool:
    """Whether owned fields reach to the end of the trail, or to something above it that is owned as a whole."""
    for step in trail:
        if not owned or isinstance(step, int):
            return True
        if field_name(step) not in owned:
            return False
        owned = owned[field_name(step)]
    return True


def field_name(step: Step) -> str:
    """How managedFields name this step; a position has no name there, as its list is held as a whole."""
    if isinstance(step, tuple):
        return f"k:{_compact(dict(step))}"
    return f"f:{step}"
