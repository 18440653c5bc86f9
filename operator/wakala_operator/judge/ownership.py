"""Items that stand where ours should: entered as ours, so that our next apply takes them away.

Server-side apply merges a keyed list. Somebody who changed the key of one of our items, such as the port of a Service, has
removed ours and added theirs; our apply then puts ours beside theirs, and the API server may refuse the two together (one
name twice; tried). What we hold and do not ask for goes with our next apply, in one step: so it is made ours first, by
rewriting who manages it, as client-go's `csaupgrade` does.
"""

import copy
from collections.abc import Iterable
from typing import Any

from wakala_operator.judge.difference import Difference, Trail, field_name

__all__ = ["taken_over"]

Fields = dict[str, Any]


def taken_over(
    live: dict[str, Any], found: Iterable[Difference], manager: str
) -> list[dict[str, Any]] | None:
    """The `managedFields` in which `manager` holds every item of the lists that lost one of ours.

    Args:
        live: the object with its managedFields.
        found: how it differs from what is wanted.
        manager: us.

    Returns:
        the list to write, or None when there is nothing to take.
    """
    lists = {
        difference.trail[:-1]
        for difference in found
        if difference.live is None and difference.trail and isinstance(difference.trail[-1], tuple)
    }
    entries = copy.deepcopy(live["metadata"].get("managedFields", []))
    ours = next((entry for entry in entries if _is_ours(entry, manager)), None)
    if ours is None:  # an object that is being adopted
        ours = _entry(live, manager)
        entries.append(ours)
    taken = False
    for entry in entries:
        if entry is ours or entry.get("subresource"):
            continue
        for trail in lists:
            if items := _cut(entry["fieldsV1"], trail):
                _lay(ours["fieldsV1"], trail, items)
                taken = True
    return [entry for entry in entries if entry["fieldsV1"]] if taken else None


def _entry(live: dict[str, Any], manager: str) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": {},
    }


def _is_ours(entry: dict[str, Any], manager: str) -> bool:
    applied = entry.get("manager") == manager and entry.get("operation") == "Apply"
    return applied and not entry.get("subresource")


def _cut(owned: Fields, trail: Trail) -> Fields:
    """Take the items of the list at the end of the trail out of `owned`, and what is empty without them."""
    if not trail:
        return {name: owned.pop(name) for name in list(owned) if name.startswith("k:")}
    name = field_name(trail[0])
    items = _cut(owned[name], trail[1:]) if name in owned else {}
    if items and not owned[name]:
        del owned[name]  # left empty it would mean the whole field
    return items


def _lay(owned: Fields, trail: Trail, items: Fields) -> None:
    """Add items to the list at the end of the trail."""
    for step in trail:
        owned = owned.setdefault(field_name(step), {})
    _merge(owned, items)


def _merge(into: Fields, more: Fields) -> None:
    for name, fields in more.items():
        _merge(into.setdefault(name, {}), fields)
