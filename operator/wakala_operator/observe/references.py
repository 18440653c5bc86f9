"""The Secrets and ConfigMaps that pods read, as one digest: when it changes, the pods are rolled out.

They are read by name, as we may not list or watch Secrets. A digest is salted with the object's UID, so that nobody can
try weak secrets against it; neither a value nor a part of one leaves this module.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wakala_operator.build.references import Reference
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import Forbidden, NotFound
from wakala_operator.kinds import CONFIG_MAP, SECRET

__all__ = ["Referred", "read_references"]


@dataclass(frozen=True, slots=True)
class Referred:
    """What the pods read, as far as we may know it."""

    digest: str
    """Stands for all of it; "" when nothing is read."""
    parts: dict[str, str]
    """The same for each object, by `Kind name`, to say which one changed."""
    missing: tuple[str, ...] = ()
    """Objects and entries that are not there and that pods wait for, in words."""
    forbidden: tuple[str, ...] = ()
    """Objects that we may not read, in words; their changes do not roll out."""


@dataclass(frozen=True, slots=True)
class _Read:
    """One object, read."""

    digest: str
    missing: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


async def read_references(
    cluster: Cluster, namespace: str, wanted: Sequence[Reference]
) -> Referred:
    """Read them all, each object once.

    Raises:
        ClusterError: the API server did not answer; a missing or forbidden object is no error here.
    """
    objects: dict[str, list[Reference]] = {}
    for reference in wanted:
        objects.setdefault(f"{reference.kind} {reference.name}", []).append(reference)
    found = await asyncio.gather(
        *(_read(cluster, namespace, name, entries) for name, entries in objects.items())
    )
    parts = {name: read.digest for name, read in zip(objects, found, strict=True)}
    return Referred(
        digest=_hash(sorted(parts.items())) if parts else "",
        parts=parts,
        missing=tuple(word for read in found for word in read.missing),
        forbidden=tuple(word for read in found for word in read.forbidden),
    )


async def _read(cluster: Cluster, namespace: str, name: str, entries: Sequence[Reference]) -> _Read:
    """One object: the digest of the entries that are read, and what is missing of them."""
    first = entries[0]
    needed = [entry for entry in entries if not entry.optional]
    try:
        obj = await cluster.get(
            SECRET if first.kind == "Secret" else CONFIG_MAP, namespace, first.name
        )
    except NotFound:
        return _Read("absent", missing=(name,) if needed else ())
    except Forbidden:
        return _Read("unreadable", forbidden=(name,))
    content: dict[str, Any] = {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
    whole = any(not entry.key for entry in entries)
    keys = sorted(content if whole else {entry.key for entry in entries})
    missing = tuple(
        f"entry {entry.key} of {name}" for entry in needed if entry.key and entry.key not in content
    )
    chosen = [(key, content.get(key)) for key in keys]
    return _Read(_hash([obj["metadata"]["uid"], chosen]), missing)


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
