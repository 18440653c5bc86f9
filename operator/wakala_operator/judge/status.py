"""The whole `status` of a service, from what is known now. Everything in it is capped in size."""

from collections.abc import Sequence
from typing import Any

from wakala_api.names import LABEL_SERVICE

__all__ = ["new_status"]

Object = dict[str, Any]
MOST_INVENTORY = 32


def new_status(
    *,
    generation: int,
    conditions: list[Object],
    decisions: list[Object],
    deployment: Object | None,
    children: Sequence[Object],
) -> Object:
    """The status to write.

    Args:
        generation: the generation of the spec that was looked at.
        conditions: folded already.
        decisions: the why-log, newest first.
        deployment: the live Deployment, if there is one.
        children: the service's objects.
    """
    counts = (deployment or {}).get("status", {})
    chosen = (deployment or {}).get("spec", {}).get("selector", {}).get("matchLabels", {})
    status: Object = {
        "observedGeneration": generation,
        "conditions": conditions,
        "replicas": counts.get("replicas", 0),
        "readyReplicas": counts.get("readyReplicas", 0),
        "inventory": [
            {"kind": child["kind"], "name": child["metadata"]["name"]} for child in children
        ][:MOST_INVENTORY],
        "decisions": decisions,
    }
    if LABEL_SERVICE in chosen:
        status["selector"] = f"{LABEL_SERVICE}={chosen[LABEL_SERVICE]}"
    return {name: value for name, value in status.items() if value not in ([], None)}
