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
    """Objects and entries that are not there, in words."""
    forbidden: tuple[str, ...] = ()
    """Objects that we may not read, in words; their changes do not roll out."""


async def read_references(
    cluster: Cluster, namespace: str, wanted: Sequence[Reference]
) -> Referred:
    """Read them all.

    Raises:
        ClusterError: the API server did not answer; a missing or forbidden object is no error here.
    """
    found = await asyncio.gather(*(_read(cluster, namespace, reference) for reference in wanted))
    parts = {
        f"{reference.kind} {reference.name}": part
        for reference, (part, _, _) in zip(wanted, found, strict=True)
    }
    return Referred(
        digest=_hash(sorted(parts.items())) if parts else "",
        parts=parts,
        missing=tuple(word for _, missing, _ in found for word in missing),
        forbidden=tuple(word for _, _, forbidden in found for word in forbidden),
    )


async def _read(
    cluster: Cluster, namespace: str, reference: Reference
) -> tuple[str, list[str], list[str]]:
    """One object: its digest, what is missing, what is forbidden."""
    kind = SECRET if reference.kind == "Secret" else CONFIG_MAP
    name = f"{reference.kind} {reference.name}"
    try:
        obj = await cluster.get(kind, namespace, reference.name)
    except NotFound:
        return "absent", [name], []
    except Forbidden:
        return "unreadable", [], [name]
    content: dict[str, Any] = {**(obj.get("data") or {}), **(obj.get("binaryData") or {})}
    keys = reference.keys or tuple(sorted(content))
    missing = [f"entry {key} of {name}" for key in keys if key not in content]
    chosen = sorted((key, content.get(key)) for key in keys)
    return _hash([obj["metadata"]["uid"], chosen]), missing, []


def _hash(value: Any) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
