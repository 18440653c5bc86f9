"""What is to be said about a service after a pass: the findings behind every condition.

`Ready`, `Reconciling` and `Stalled` come from how the pass ended and where the rollout stands. The sections that nothing
acts on yet are answered with Unknown, never with silence.
"""

from dataclasses import dataclass
from typing import Any

from wakala_api import conditions
from wakala_api.service import WakalaServiceSpec
from wakala_operator.judge.conditions import Finding
from wakala_operator.judge.outcome import Outcome, Stalled, Wait
from wakala_operator.judge.rollout import Rollout

__all__ = ["Seen", "findings"]

NOT_YET = "NotActedOnYet"
_SECTIONS = {
    conditions.NODES_TUNED: ("node_tuning", "spec.nodeTuning"),
    conditions.MONITORING_READY: ("monitoring", "spec.monitoring"),
    conditions.DATABASE_HEALTHY: ("database", "spec.database"),
    conditions.CACHE_HEALTHY: ("cache", "spec.cache"),
    conditions.WITHIN_CONNECTION_BUDGET: ("database", "spec.database"),
    conditions.CHECKLIST_PASSED: ("checklist", "spec.checklist"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a pass knows at its end."""

    spec: WakalaServiceSpec | None
    """The parsed spec; None when it can't be read."""
    outcome: Outcome
    """How the writing ended."""
    rollout: Rollout | None
    """Where the Deployment stands; None when there is none."""
    pending: tuple[str, ...] = ()
    """While paused: what would be written, in words."""
    last_ready: dict[str, Any] | None = None
    """The Ready condition as it stands, which a pause keeps."""
    missing: tuple[str, ...] = ()
    """Secrets and ConfigMaps that the pods wait for, in words."""


def findings(seen: Seen) -> list[Finding]:
    """One finding for each condition that applies."""
    found = _progress(seen)
    if seen.spec is None:
        return [*found, _healthy([])]
    checks = _checks(seen.spec)
    return [*found, _healthy(checks), *checks, *_patched(seen.spec)]


def _progress(seen: Seen) -> list[Finding]:
    """Ready with its kstatus companion."""
    if seen.spec is not None and seen.spec.paused:
        return [_paused(seen)]
    outcome, rollout = seen.outcome, seen.rollout
    if isinstance(outcome, Stalled):
        return _both(conditions.STALLED, outcome.reason, outcome.say)
    if isinstance(outcome, Wait):
        return _both(conditions.RECONCILING, outcome.reason, outcome.say)
    if rollout is None:
        return _both(conditions.RECONCILING, "RollingOut", "the Deployment is being made")
    if rollout.state == "Failed":
        return _both(conditions.STALLED, rollout.reason, rollout.say)
    if rollout.state == "Progressing":
        waits = (
            f"; {', '.join(seen.missing)} is not there, and pods wait for it"
            if seen.missing
            else ""
        )
        return _both(conditions.RECONCILING, rollout.reason, rollout.say + waits)
    return [Finding(conditions.READY, "True", rollout.reason, rollout.say)]


def _both(companion: str, reason: str, say: str) -> list[Finding]:
    return [
        Finding(conditions.READY, "False", reason, say),
        Finding(companion, "True", reason, say),
    ]


def _paused(seen: Seen) -> Finding:
    """The last Ready, as long as it speaks of what the spec still asks for."""
    last = seen.last_ready or {}
    if seen.pending:
        waiting = ", ".join(seen.pending)
        return Finding(
            conditions.READY,
            "False" if last.get("status") == "False" else "Unknown",
            "Paused",
            f"spec.paused is true, and this waits for it: {waiting}; set spec.paused to false to go on",
        )
    return Finding(
        conditions.READY,
        last.get("status", "Unknown"),
        "Paused",
        "spec.paused is true: nothing is changed or put right until it is false; "
        "the status is the last one before the pause",
    )


def _checks(spec: WakalaServiceSpec) -> list[Finding]:
    return [
        Finding(
            condition,
            "Unknown",
            NOT_YET,
            f"{field} is set, and this version of the operator does not act on it yet",
        )
        for condition, (attribute, field) in _SECTIONS.items()
        if getattr(spec, attribute) is not None
    ]


def _healthy(checks: list[Finding]) -> Finding:
    """The summary: False if one is, else Unknown if one is or none was made, else True."""
    bad = [check for check in checks if check.status == "False"]
    unknown = [check for check in checks if check.status == "Unknown"]
    if bad:
        return Finding(
            conditions.HEALTHY, "False", bad[0].reason, f"{bad[0].type}: {bad[0].message}"
        )
    if unknown:
        names = ", ".join(check.type for check in unknown)
        return Finding(conditions.HEALTHY, "Unknown", unknown[0].reason, f"not known: {names}")
    if not checks:
        return Finding(
            conditions.HEALTHY,
            "Unknown",
            "NothingMeasured",
            "no section with a live check is set; Ready tells about the pods",
        )
    return Finding(conditions.HEALTHY, "True", "AllChecksPass", "every live check passes")


def _patched(spec: WakalaServiceSpec) -> list[Finding]:
    patch = spec.pod_template_patch
    if patch is None:
        return []
    parts = [f"spec.{name}" for name in sorted(patch.spec or {})]
    if patch.metadata is not None:
        parts.insert(0, "metadata")
    return [
        Finding(
            conditions.TEMPLATE_PATCHED,
            "True",
            "PatchInUse",
            f"spec.podTemplatePatch changes {', '.join(parts) or 'nothing'}: "
            "the pods are not only what the other fields say",
        )
    ]
