"""`podTemplatePatch`: the escape hatch, laid over the template that the other fields make.

Maps are merged field by field, and a null takes a field away. Containers are merged by name; volumes, mounts, variables and
ports of the same name are replaced as a whole, since half of one and half of another would be neither. Every other list
and value replaces what was there. There are no directives.
"""

from typing import Any

from wakala_api.service import PodTemplatePatch
from wakala_operator.build.context import Object, Refused

__all__ = ["lay_over"]

MERGED = ("containers", "initContainers")
"""Lists whose items are merged with the one of the same name."""
DEEPEST = 40
"""Levels a patch may be nested; a pod's spec has about twelve."""
REPLACED = {"volumes": "name", "env": "name", "ports": "name", "volumeMounts": "mountPath"}
"""Lists whose items replace the one of the same key, and that key."""


def lay_over(template: Object, patch: PodTemplatePatch) -> Object:
    """The template with the patch laid over it.

    Raises:
        Refused: the patch has a directive, or entries without a name where they are merged by name.
    """
    metadata = patch.metadata.model_dump(exclude_none=True) if patch.metadata else {}
    change = {"metadata": metadata, "spec": patch.spec or {}}
    if _deeper_than(change, DEEPEST):
        raise Refused(
            "TemplateRefused",
            f"spec.podTemplatePatch is nested more than {DEEPEST} levels deep, as no pod is; leave that part out",
        )
    return _merged(template, change, "spec.podTemplatePatch")


def _deeper_than(value: Any, levels: int) -> bool:
    """Whether maps and lists are nested more than so many levels; looked at level by level, not by recursion."""
    level = [value]
    for _ in range(levels):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    return any(isinstance(inner, dict | list) for inner in level)


def _merged(base: Any, change: Object, path: str) -> Object:
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in change.items():
        here = f"{path}.{name}"
        if name.startswith("$"):
            raise Refused(
                "TemplateRefused",
                f"{here} is a directive, and there are none; leave it out, or give null to take a field away",
            )
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = _merged(result.get(name), value, here)
        elif isinstance(value, list) and name in MERGED:
            result[name] = _by_key(result.get(name), value, "name", here, merge=True)
        elif isinstance(value, list) and name in REPLACED:
            result[name] = _by_key(result.get(name), value, REPLACED[name], here, merge=False)
        else:
            result[name] = value
    return result


def _by_key(base: Any, change: list[Any], key: str, path: str, *, merge: bool) -> list[Any]:
    """Items of the same key merged or replaced in their place, new ones at the end."""
    found = {item.get(key): item for item in base} if isinstance(base, list) else {}
    for index, item in enumerate(change):
        here = f"{path}[{index}]"
        if not isinstance(item, dict) or not isinstance(item.get(key), str):
            raise Refused(
                "TemplateRefused",
                f"{here} wants to be a map with a text as its {key}, by which it is merged; give it one",
            )
        old = found.get(item[key])
        found[item[key]] = _merged(old if merge else None, item, here)
    return list(found.values())
