"""Which Secrets and ConfigMaps the pods read, found in the template itself: whatever put them there."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from wakala_operator.build.context import Object
from wakala_operator.build.shapes import as_map, as_maps, containers

__all__ = ["Reference", "references"]


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One entry of a Secret or ConfigMap that the pods read, or all of it."""

    kind: Literal["ConfigMap", "Secret"]
    """What it is."""
    name: str
    """Its name, in the service's namespace."""
    key: str = ""
    """The entry; "" for all entries."""
    optional: bool = False
    """Whether pods start without it."""


def references(template: Object) -> tuple[Reference, ...]:
    """All references of a pod template, patched as it may be: sorted, each once."""
    pod = as_map(template.get("spec"))
    found = {r for container in containers(pod) for r in _of_container(container)}
    found |= {r for volume in as_maps(pod.get("volumes")) for r in _of_volume(volume)}
    return tuple(sorted(found))


def _of_container(container: Object) -> Iterator[Reference]:
    for variable in as_maps(container.get("env")):
        source = as_map(variable.get("valueFrom"))
        yield from _one("Secret", source.get("secretKeyRef"))
        yield from _one("ConfigMap", source.get("configMapKeyRef"))
    for source in as_maps(container.get("envFrom")):
        yield from _one("Secret", source.get("secretRef"))
        yield from _one("ConfigMap", source.get("configMapRef"))


def _of_volume(volume: Object) -> Iterator[Reference]:
    for source in [volume, *as_maps(as_map(volume.get("projected")).get("sources"))]:
        yield from _one("Secret", source.get("secret"), name="secretName")
        yield from _one("ConfigMap", source.get("configMap"))


def _one(
    kind: Literal["ConfigMap", "Secret"], source: Any, name: str = "name"
) -> Iterator[Reference]:
    """The references of one source: its key, its items, or all of it."""
    source = as_map(source)
    called = source.get("name") or source.get(name)
    if not isinstance(called, str):
        return
    optional = source.get("optional") is True
    keys = [source.get("key"), *(item.get("key") for item in as_maps(source.get("items")))]
    named = [key for key in keys if isinstance(key, str)]
    for key in named or [""]:
        yield Reference(kind, called, key, optional)
