"""Is this Deployment there yet? The answer behind `Ready`.

Not the Deployment's own `Available`: with maxUnavailable 0 that stays True under a broken new image and turns False at
each scale-up (trap G17b). Ready asks that the controller has seen this template, that all pods are of it, and that
enough of them are available.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Rollout", "judge_rollout", "pods_in_words"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a rollout stands."""

    state: Literal["Complete", "Progressing", "Failed"]
    reason: str
    say: str


def judge_rollout(deployment: dict[str, Any], *, asked: int, pods: str = "") -> Rollout:
    """Where the rollout of `deployment` stands.

    Args:
        deployment: the live object, with its status.
        asked: pods that must be available (`disruption.minAvailableForReady`); never more than are wanted.
        pods: what keeps the new pods, in words, where somebody has looked.
    """
    spec, status = deployment.get("spec", {}), deployment.get("status", {})
    wanted = spec.get("replicas", 1)
    total, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    because = f": {pods}" if pods else ""
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return Rollout(
            "Progressing",
            "RollingOut",
            "the Deployment controller has not seen the new template yet",
        )
    conditions = {c.get("type"): c for c in status.get("conditions", [])}
    progressing = conditions.get("Progressing", {})
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Rollout(
            "Failed",
            "ProgressDeadlineExceeded",
            f"{updated} of {wanted} pods are new and {available} available, and nothing moved for "
            f"{spec.get('progressDeadlineSeconds', 600)} s{because}; mend the image or its settings, or go back",
        )
    failure = conditions.get("ReplicaFailure", {})
    if failure.get("status") == "True":
        return Rollout(
            "Progressing",
            "PodsRefused",
            f"pods can't be created: {_short(failure.get('message', ''))}",
        )
    if updated < wanted or total != updated:
        return Rollout(
            "Progressing",
            "RollingOut",
            f"{updated} of {wanted} pods are new, {max(total - updated, 0)} old ones remain, {available} available{because}",
        )
    need = min(asked, wanted)
    if available < need:
        return Rollout(
            "Progressing",
            "PodsNotAvailable",
            f"{available} of {wanted} pods are available, {need} wanted{because}",
        )
    return Rollout(
        "Complete", "RolledOut", f"{available} of {wanted} pods are available, all of this template"
    )


def pods_in_words(pods: Iterable[dict[str, Any]]) -> str:
    """What keeps pods from being ready: the most frequent reason, counted, with its image; "" when nothing does.

    Only words of Kubernetes and the image's name are repeated; a container's own message may hold anything.
    """
    reasons: dict[str, int] = {}
    for pod in pods:
        if reason := _keeps(pod):
            reasons[reason] = reasons.get(reason, 0) + 1
    if not reasons:
        return ""
    reason, count = max(reasons.items(), key=lambda item: (item[1], item[0]))
    return f"{count} {'pod waits' if count == 1 else 'pods wait'}: {reason}"


def _keeps(pod: dict[str, Any]) -> str:
    """Why one pod is not ready, in a few words."""
    if pod.get("metadata", {}).get("deletionTimestamp"):
        return ""
    status = pod.get("status", {})
    for container in [
        *status.get("initContainerStatuses", []),
        *status.get("containerStatuses", []),
    ]:
        state = container.get("state", {})
        if reason := state.get("waiting", {}).get("reason"):
            return f"{reason} ({container.get('image') or container.get('name')})"
        if container.get("name") and "terminated" in state and not container.get("ready"):
            ended = state["terminated"]
            if ended.get("exitCode"):
                return f"{ended.get('reason', 'Error')}, exit code {ended['exitCode']} ({container['name']})"
    for condition in status.get("conditions", []):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"{condition.get('reason', 'Unschedulable')}: {_short(condition.get('message', ''))}"
    return ""


def _short(message: str) -> str:
    """The first sentence of a controller's message, cut to fit a line or two."""
    return " ".join(message.split())[:300]
