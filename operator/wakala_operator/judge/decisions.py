"""The why-log in `status.decisions`: the last ten things the operator did, and the field or fact that made it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wakala_api.service import WakalaServiceSpec

__all__ = ["Decided", "log", "notes", "together"]

MOST = 10
LONGEST = 512


@dataclass(frozen=True, slots=True)
class Decided:
    """One thing done or noted in this pass."""

    reason: str
    """One CamelCase word: Created, Changed, Corrected, Pruned, HandedOver, RolledOut, ..."""
    message: str
    """What was done and why, one sentence without values of secrets."""
    warning: bool = False
    """Whether its Event is a Warning."""


def log(
    previous: Sequence[dict[str, Any]],
    decided: Iterable[Decided],
    standing: Iterable[Decided],
    *,
    now: str,
) -> list[dict[str, Any]]:
    """The log to write, newest first.

    Args:
        previous: the log as it stands.
        decided: what this pass did, in order.
        standing: what is true as long as the spec is so; entered once, not at each pass.
        now: RFC 3339, UTC.
    """
    known = {(entry.get("reason"), entry.get("message")) for entry in previous}
    fresh = [
        *decided,
        *(note for note in standing if (note.reason, note.message[:LONGEST]) not in known),
    ]
    entries = [
        {"time": now, "reason": entry.reason, "message": entry.message[:LONGEST]}
        for entry in reversed(fresh)
    ]
    return [*entries, *previous][:MOST]


def together(decided: Iterable[Decided]) -> list[Decided]:
    """The same with `made: A` and `made: B` as `made: A, B`: one line of the log for one thing that was done."""
    joined: dict[tuple[str, str], Decided] = {}
    for entry in decided:
        what, colon, who = entry.message.partition(": ")
        key = (entry.reason, what if colon and not entry.warning else entry.message)
        known = joined.get(key)
        joined[key] = (
            entry
            if known is None
            else Decided(entry.reason, f"{known.message}, {who}", entry.warning)
        )
    return list(joined.values())


def notes(
    spec: WakalaServiceSpec, *, unknown: Sequence[str] = (), unreadable: Sequence[str] = ()
) -> list[Decided]:
    """What a reader of the spec should know although nothing is wrong.

    Args:
        spec: the parsed spec.
        unknown: fields that this version does not know and passed over.
        unreadable: Secrets and ConfigMaps that we may not read.
    """
    found = []
    if spec.autoscaling is not None:
        found.append(
            Decided("ReplicasIgnored", "spec.replicas is ignored while spec.autoscaling is set")
        )
    name = spec.image.rsplit("/", 1)[-1]
    if "@" not in name and name.partition(":")[2] in {"", "latest"}:
        found.append(
            Decided(
                "MutableTag",
                "spec.image has no fixed tag or digest, so that a rollback can't bring the old image back",
            )
        )
    if spec.runtime.hash_seed is not None:
        found.append(
            Decided(
                "HashSeedFixed",
                "spec.runtime.hashSeed turns off the protection against hash flooding",
            )
        )
    if unknown:
        found.append(
            Decided(
                "FieldsUnknown", f"not known to this version and passed over: {', '.join(unknown)}"
            )
        )
    if unreadable:
        found.append(
            Decided(
                "ReferenceUnreadable",
                f"the operator may not read {', '.join(unreadable)}, so that a change of it does not roll the pods out",
            )
        )
    return found
