"""From findings to conditions: a fold that keeps the time of the last flip and says everything about one generation."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from wakala_api import conditions
from wakala_api.conditions import Status3

__all__ = ["Finding", "find", "fold"]

LONGEST_MESSAGE = 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be said about one condition now."""

    type: str
    status: Status3
    reason: str
    message: str


def fold(
    previous: Sequence[dict[str, Any]],
    findings: Iterable[Finding],
    *,
    generation: int,
    now: str,
) -> list[dict[str, Any]]:
    """The conditions to write, in the order readers expect, each with the time its status last flipped.

    A condition without a finding is gone: that is how `Reconciling` and `Stalled` leave.

    Args:
        previous: the conditions as they stand.
        findings: at most one for each type.
        generation: the generation of the spec that was looked at.
        now: RFC 3339, UTC.
    """
    found = {finding.type: finding for finding in findings}
    return [
        {
            "type": kind,
            "status": finding.status,
            "reason": finding.reason,
            "message": finding.message[:LONGEST_MESSAGE],
            "lastTransitionTime": _since(find(previous, kind), finding.status, now),
            "observedGeneration": generation,
        }
        for kind in conditions.ORDER
        if (finding := found.get(kind)) is not None
    ]


def find(previous: Sequence[dict[str, Any]], kind: str) -> dict[str, Any] | None:
    """The condition of that type, if it is there."""
    return next((condition for condition in previous if condition.get("type") == kind), None)


def _since(old: dict[str, Any] | None, status: str, now: str) -> str:
    if old is None or old.get("status") != status:
        return now
    return str(old.get("lastTransitionTime") or now)
