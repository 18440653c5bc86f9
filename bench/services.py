"""Many services with our operator and with the peer, each in a fresh cluster, one after the other."""

import asyncio
import statistics
from dataclasses import asdict, dataclass
from typing import Any

from bench.client import BenchError, Watch
from bench.machine import apiserver_of, cpu_seconds, machine, memory_mib
from bench.operators import OURS, PEER, Program
from bench.same import unlike
from bench.scene import Scene, fresh_cluster, say, scene, size
from devcluster.cluster import Cluster

__all__ = ["Figures", "Plan", "measure", "table"]

AFTER_READY = 5.0
"""Seconds after the last service became Ready that still count as the work of making them."""
AFTER_RESTART = 30.0
"""Seconds after a start in which a restart's writes and processor time are counted."""
PACE = 0.1
"""Seconds between two edits."""
SECONDS_EACH = 1.0
"""Seconds that one service may take, before the run is given up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured."""

    services: int
    rounds: int
    edits: int
    """Edits at rest, one after the other."""
    restarts: int
    """Restarts with an edit."""
    idle: float
    """Seconds of rest."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One operator in one round."""

    ready_seconds: float
    """From the first create to the last service Ready at its generation."""
    operator_cpu_seconds: float
    """Processor time for that."""
    apiserver_cpu_seconds: float
    """The API server's in the same time."""
    writes_per_service: float
    """The operator's writes, Events among them, without Leases."""
    requests_per_service: float
    """All requests the API server answered, whoever sent them, reads among them."""
    peak_mib: float
    """Resident memory at its highest, before any restart."""
    rest_mib: float
    """Resident memory at rest, before any restart."""
    edit_p50_ms: float
    """From sending an edit of a service to the moment a watch shows its Deployment with it."""
    edit_p99_ms: float
    idle_cpu_percent: float
    """Of one core, at rest."""
    restart_seconds: float
    """From the start of the process to the moment an edit sent right then is in the Deployment; the median.

    The service is one of the last by name, so that an operator that looks at all of them in order comes to it late.
    """
    restart_cpu_seconds: float
    """Processor time of the first half minute of a process that finds nothing to do."""
    restart_writes: int
    """Its writes in that time."""
    restart_peak_mib: float
    """Its resident memory at its highest in that time."""
    status_bytes: int
    """Size of one service's status, to see that both say about as much."""


_ROWS = {
    "ready_seconds": "all Ready, s",
    "operator_cpu_seconds": "operator CPU for it, s",
    "apiserver_cpu_seconds": "API server CPU for it, s",
    "writes_per_service": "writes per service",
    "requests_per_service": "API requests per service, all clients",
    "peak_mib": "memory, highest, MiB",
    "rest_mib": "memory at rest, MiB",
    "edit_p50_ms": "edit to child, p50, ms",
    "edit_p99_ms": "edit to child, p99, ms",
    "idle_cpu_percent": "CPU at rest, % of a core",
    "restart_seconds": "restart to an edit's child, s",
    "restart_cpu_seconds": "CPU of a restart's first 30 s, s",
    "restart_writes": "writes of a restart",
    "restart_peak_mib": "memory of a restart, highest, MiB",
    "status_bytes": "status of one service, bytes",
}


def measure(plan: Plan) -> dict[str, Any]:
    """Run all rounds; the figures of each, where they were made, and in what the objects differ."""
    about = machine()
    for program in (OURS, PEER):
        program.command()  # built before any clock runs
    rounds: list[dict[str, Any]] = []
    objects: dict[str, dict[str, Any]] = {}
    for number in range(plan.rounds):
        order = (OURS, PEER) if number % 2 == 0 else (PEER, OURS)
        found = {}
        for program in order:
            say(f"round {number + 1} of {plan.rounds}: {program.name}")
            with fresh_cluster() as cluster:
                figures, objects[program.name] = asyncio.run(_one(cluster, program, plan))
            found[program.name] = asdict(figures)
        rounds.append(found)
    differ = unlike(objects[OURS.name], objects[PEER.name])
    return {"machine": about, "plan": asdict(plan), "rounds": rounds, "objectsDiffer": differ}


async def _one(cluster: Cluster, program: Program, plan: Plan) -> tuple[Figures, dict[str, Any]]:
    """One operator in one fresh cluster; its figures, and the objects of one service."""
    async with scene(cluster, program) as here:
        made = await _make(here, plan)
        objects = await here.children(1)
        async with here.deployments() as deployments:
            edits = await _edits(here, plan, deployments)
            await here.at_rest()
            idle = await _idle(here, plan)
            made["rest_mib"] = memory_mib(here.process.pid)[0]
            made["peak_mib"] = memory_mib(here.process.pid)[1]
            quiet = await _restart(here)
            seconds = [
                await _restart_with_edit(here, plan.services - 1 - number, deployments)
                for number in range(min(plan.restarts, plan.services))
            ]
    figures = Figures(
        **made,
        **quiet,
        edit_p50_ms=_percentile(edits, 50) * 1000,
        edit_p99_ms=_percentile(edits, 99) * 1000,
        idle_cpu_percent=idle,
        restart_seconds=statistics.median(seconds),
        status_bytes=size(objects.pop("WakalaService")["status"]),
    )
    return figures, objects


async def _make(here: Scene, plan: Plan) -> dict[str, Any]:
    """Make all services and wait for them."""
    numbers = range(plan.services)
    apiserver = apiserver_of(here.cluster.pid)
    since, requests = here.position(), await here.requests()
    before = cpu_seconds(here.process.pid), cpu_seconds(apiserver)
    began = await here.create(numbers)
    ended = await here.all_ready(numbers, within=60 + plan.services * SECONDS_EACH)
    await asyncio.sleep(AFTER_READY)
    after = cpu_seconds(here.process.pid), cpu_seconds(apiserver)
    return {
        "ready_seconds": ended - began,
        "operator_cpu_seconds": after[0] - before[0],
        "apiserver_cpu_seconds": after[1] - before[1],
        "writes_per_service": len(here.writes(since)) / plan.services,
        "requests_per_service": (await here.requests() - requests) / plan.services,
    }


async def _edits(here: Scene, plan: Plan, deployments: Watch[str]) -> list[float]:
    """Seconds from each edit to its child."""
    await here.at_rest()
    took = []
    for number in range(plan.edits):
        sent, carried = await here.edit(number % plan.services, deployments)
        took.append(carried - sent)
        await asyncio.sleep(PACE)
    return took


async def _idle(here: Scene, plan: Plan) -> float:
    """Percent of a core at rest."""
    before = cpu_seconds(here.process.pid)
    await asyncio.sleep(plan.idle)
    return (cpu_seconds(here.process.pid) - before) / plan.idle * 100


async def _restart(here: Scene) -> dict[str, Any]:
    """Stop and start where nothing is to be done."""
    here.process.stop()
    since = here.position()
    here.process.start_again()
    await asyncio.sleep(AFTER_RESTART)
    return {
        "restart_cpu_seconds": cpu_seconds(here.process.pid),
        "restart_writes": len(here.writes(since)),
        "restart_peak_mib": memory_mib(here.process.pid)[1],
    }


async def _restart_with_edit(here: Scene, number: int, deployments: Watch[str]) -> float:
    """Stop, start, edit at once; seconds from the start to the edit's child."""
    here.process.stop()
    here.process.start_again()
    _, carried = await here.edit(number, deployments)
    took = carried - here.process.started
    await here.at_rest()
    return took


def _percentile(values: list[float], percent: int) -> float:
    """The smallest value that so many percent do not exceed."""
    if not values:
        raise BenchError("no edits, no latency")
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def table(found: dict[str, Any]) -> str:
    """The figures as a table: medians over the rounds, their range where there are several, and the ratio."""
    names = (OURS.name, PEER.name)
    lines = [f"| | {names[0]} | {names[1]} | ratio |", "|---|--:|--:|--:|"]
    for key, label in _ROWS.items():
        columns = [[one[name][key] for one in found["rounds"]] for name in names]
        ours, peers = map(statistics.median, columns)
        ratio = f"{ours / peers:.2f}" if peers else "-"
        lines.append(f"| {label} | {_cell(columns[0])} | {_cell(columns[1])} | {ratio} |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    middle = _number(statistics.median(values))
    least, most = _number(min(values)), _number(max(values))
    return middle if least == most else f"{middle} ({least} to {most})"


def _number(value: float) -> str:
    if value >= 100 or value == int(value):  # noqa: PLR2004
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"  # noqa: PLR2004
