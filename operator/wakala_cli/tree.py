"""A service as a tree that a person can read at three in the morning: conditions, objects, what was done, what to do."""

from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from wakala_api.base import printable
from wakala_api.conditions import ABNORMAL, ORDER, TEMPLATE_PATCHED

__all__ = ["condition_of", "hint", "show_list", "show_one"]

MOST_PODS = 5


def condition_of(service: dict[str, Any], kind: str) -> dict[str, Any]:
    """A condition of the service, or {}."""
    found = service.get("status", {}).get("conditions", [])
    return next((c for c in found if c.get("type") == kind), {})


def _colour(condition: dict[str, Any]) -> str:
    """Green for good, red for bad, yellow for under way, dim for unknown; by the condition's polarity."""
    kind, status = condition.get("type"), condition.get("status")
    if kind == TEMPLATE_PATCHED:
        return "yellow"
    if kind in ABNORMAL:
        return "red" if kind == "Stalled" else "yellow"
    return {"True": "green", "False": "red"}.get(str(status), "bright_black")


def _age(since: str, now: datetime) -> str:
    try:
        then = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return ""
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def show_list(console: Console, services: list[dict[str, Any]], *, now: datetime) -> None:
    """One line for each service."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAMESPACE", "NAME", "READY", "HEALTHY", "PODS", "SINCE", "WHY"):
        table.add_column(column, overflow="fold")
    for service in services:
        status, ready = service.get("status", {}), condition_of(service, "Ready")
        stale = status.get("observedGeneration", -1) < service["metadata"].get("generation", 0)
        table.add_row(
            service["metadata"]["namespace"],
            service["metadata"]["name"],
            Text(
                "not seen" if stale else ready.get("status", "-"),
                "yellow" if stale else _colour(ready),
            ),
            Text(
                condition_of(service, "Healthy").get("status", "-"),
                _colour(condition_of(service, "Healthy")),
            ),
            f"{status.get('readyReplicas', 0)}/{status.get('replicas', 0)}",
            _age(ready.get("lastTransitionTime", ""), now),
            printable(f"{ready.get('reason', '')}: {ready.get('message', '')}") if ready else "",
        )
    console.print(table)


def show_one(console: Console, found: dict[str, Any], *, now: datetime) -> None:
    """The tree of one service."""
    service = found["service"]
    metadata, status = service["metadata"], service.get("status", {})
    tree = Tree(Text(f"WakalaService {metadata['namespace']}/{metadata['name']}", "bold"))
    tree.add(Text(f"image {service['spec'].get('image', '?')}"))
    if status.get("observedGeneration", -1) < metadata.get("generation", 0):
        tree.add(
            Text(
                f"generation {metadata.get('generation')} has not been looked at yet "
                f"(last: {status.get('observedGeneration', -1)}); is the operator running?",
                "yellow",
            )
        )
    _conditions(tree, service, now)
    _objects(tree, found)
    if decisions := status.get("decisions"):
        branch = tree.add(Text("done lately", "bold"))
        for decision in decisions:
            age = _age(decision.get("time", ""), now)
            branch.add(Text(printable(f"{age} ago  {decision['reason']}: {decision['message']}")))
    console.print(tree)
    console.print(Text(f"→ {hint(service)}"))


def _conditions(tree: Tree, service: dict[str, Any], now: datetime) -> None:
    branch = tree.add(Text("conditions", "bold"))
    for kind in ORDER:
        if condition := condition_of(service, kind):
            line = Text(f"{kind} {condition['status']}", _colour(condition))
            age = _age(condition.get("lastTransitionTime", ""), now)
            line.append(f"  {condition.get('reason', '')} for {age}", "default")
            if condition.get("message"):
                line.append(f": {printable(condition['message'])}", "default")
            branch.add(line)


def _objects(tree: Tree, found: dict[str, Any]) -> None:
    branch = tree.add(Text("objects", "bold"))
    for child in found["children"]:
        name = f"{child['kind']} {child['metadata']['name']}"
        if problem := child.get("problem"):
            branch.add(Text(printable(f"{name}  {problem}"), "red"))
            continue
        line = branch.add(Text(f"{name}{_figures(child)}"))
        if child["kind"] == "Deployment":
            for pod in [p for p in found["pods"] if not _pod_ready(p)][:MOST_PODS]:
                line.add(Text(f"Pod {pod['metadata']['name']}  {_pod_word(pod)}", "yellow"))


def _figures(child: dict[str, Any]) -> str:
    spec, status = child.get("spec", {}), child.get("status", {})
    match child["kind"]:
        case "Deployment":
            return (
                f"  {status.get('availableReplicas', 0)} of {spec.get('replicas', 1)} available, "
                f"{status.get('updatedReplicas', 0)} up to date"
            )
        case "HorizontalPodAutoscaler":
            return (
                f"  {spec.get('minReplicas', 1)}..{spec.get('maxReplicas')} pods, "
                f"wants {status.get('desiredReplicas', 0)}"
            )
        case "PodDisruptionBudget":
            return f"  {status.get('disruptionsAllowed', 0)} may leave now"
    return ""


def _pod_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _pod_word(pod: dict[str, Any]) -> str:
    for container in pod.get("status", {}).get("containerStatuses", []):
        if reason := container.get("state", {}).get("waiting", {}).get("reason"):
            return str(reason)
    return str(pod.get("status", {}).get("phase", "Unknown"))


def hint(service: dict[str, Any]) -> str:
    """The next step, in one line."""
    name = service["metadata"]["name"]
    for kind in ("Stalled", "Reconciling"):
        if condition_of(service, kind):
            return f"wakala explain {kind} {name} says what it means and what to do"
    ready = condition_of(service, "Ready")
    if not ready:
        return "the operator has not looked at it yet; is it running, and is operatorClass right?"
    if ready.get("reason") == "Paused":
        return "set spec.paused to false to go on"
    if condition_of(service, "Healthy").get("status") == "False":
        return f"wakala explain Healthy {name} says what it means and what to do"
    return "nothing to do"
