"""The conditions in `status.conditions`: which there are, what True means for each, and why they are as they are.

Each constant says its polarity: whether True is the good state, and whether the condition is there at all times.
A reason is one CamelCase word that tools may match on; the message is a sentence for people: what was seen, what was
wanted, what to do. `Unknown` is an answer of its own: nothing measured, not permitted, or too old.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from wakala_api.base import Model, text

__all__ = [
    "ABNORMAL",
    "CACHE_HEALTHY",
    "CHECKLIST_PASSED",
    "DATABASE_HEALTHY",
    "HEALTHY",
    "MONITORING_READY",
    "NODES_TUNED",
    "ORDER",
    "READY",
    "RECONCILING",
    "STALLED",
    "TEMPLATE_PATCHED",
    "WITHIN_CONNECTION_BUDGET",
    "Condition",
    "Status3",
]

Status3 = Literal["True", "False", "Unknown"]

READY: Final = "Ready"
"""True is good; always there. This generation is applied, its rollout complete and enough pods available."""
HEALTHY: Final = "Healthy"
"""True is good; always there. The live summary of the checks below; a slow query is unhealthy, not unready."""
RECONCILING: Final = "Reconciling"
"""True is abnormal; only there while work towards this generation is under way (kstatus)."""
STALLED: Final = "Stalled"
"""True is abnormal; only there when a person must act; never together with Reconciling (kstatus)."""
NODES_TUNED: Final = "NodesTuned"
"""True is good; there when spec.nodeTuning is set."""
MONITORING_READY: Final = "MonitoringReady"
"""True is good; there when spec.monitoring is set."""
DATABASE_HEALTHY: Final = "DatabaseHealthy"
"""True is good; there when spec.database is set."""
CACHE_HEALTHY: Final = "CacheHealthy"
"""True is good; there when spec.cache is set."""
WITHIN_CONNECTION_BUDGET: Final = "WithinConnectionBudget"
"""True is good; there when spec.database is set."""
CHECKLIST_PASSED: Final = "ChecklistPassed"
"""True is good; there when spec.checklist is set."""
TEMPLATE_PATCHED: Final = "TemplatePatched"
"""True is neither good nor bad; there while spec.podTemplatePatch is in use, as the pods are then not what the fields say."""

ABNORMAL: Final = (RECONCILING, STALLED)
"""Conditions that are there only while True."""
ORDER: Final = (
    READY,
    RECONCILING,
    STALLED,
    HEALTHY,
    NODES_TUNED,
    MONITORING_READY,
    DATABASE_HEALTHY,
    CACHE_HEALTHY,
    WITHIN_CONNECTION_BUDGET,
    CHECKLIST_PASSED,
    TEMPLATE_PATCHED,
)
"""The order in which they stand in status and are shown: Ready first."""


class Condition(Model):
    """One thing that is true, false or unknown about the service."""

    type: Annotated[str, text(pattern=r"^[A-Z][A-Za-z0-9]*$", most=63)]
    """What it is about."""
    status: Status3
    """True, False or Unknown."""
    reason: Annotated[str, text(pattern=r"^[A-Z][A-Za-z0-9]*$", most=63)]
    """Why, in one word that tools may match on."""
    message: Annotated[str, Field(max_length=1024)] = ""
    """Why, in a sentence: what was seen, what was wanted, what to do."""
    last_transition_time: Annotated[str, text(most=40)]
    """When status last changed (RFC 3339, UTC)."""
    observed_generation: Annotated[int, Field(ge=0)] = 0
    """The generation of the spec it speaks of."""
