"""Memory and processor time of our operator with ever more services at rest."""

import asyncio
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.client import BenchError
from bench.machine import cpu_seconds, machine, memory_mib
from bench.operators import OURS
from bench.scene import Scene, fresh_cluster, say, scene
from devcluster.cluster import Cluster

__all__ = ["Plan", "draw", "measure"]

EVERY = 10.0
"""Seconds between two samples at the end."""
LOOK = 20.0
"""Seconds of rest at each step."""
SECONDS_EACH = 1.0
"""Seconds that one service may take, before the run is given up."""
THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Plan:
    """How far, and how long."""

    services: int
    step: int
    """Services between two looks; the first look is at 100 or at one step, whichever is less."""
    minutes: float
    """Time at rest at the end."""


@dataclass(frozen=True, slots=True)
class Look:
    """The operator at rest with so many services."""

    services: int
    ready_seconds: float
    """How long the services that were new at this step took."""
    mib: float
    """Resident memory."""
    peak_mib: float
    cpu_percent: float
    """Of one core."""


def measure(plan: Plan) -> dict[str, Any]:
    """Make services step by step, then rest; what was seen."""
    about = machine()
    with fresh_cluster() as cluster:
        found = asyncio.run(_measure(cluster, plan))
    return {"machine": about, "plan": asdict(plan)} | found


async def _measure(cluster: Cluster, plan: Plan) -> dict[str, Any]:
    async with scene(cluster, OURS) as here:
        looks: list[Look] = []
        there = 0
        for count in _steps(plan):
            looks.append(await _step(here, there, count))
            there = count
            say(
                f"{count} services: {looks[-1].mib:.0f} MiB, {looks[-1].cpu_percent:.1f} % of a core"
            )
        rest = await _rest(here, plan)
        async with here.deployments() as deployments:
            sent, carried = await here.edit(0, deployments)
    slope, base = _line(looks)
    return {
        "steps": [asdict(look) for look in looks],
        "rest": rest,
        "editAfterRestMs": (carried - sent) * 1000,
        "fit": {"mibPerThousandServices": slope * THOUSAND, "mibWithoutServices": base},
    }


def _steps(plan: Plan) -> list[int]:
    first = min(100, plan.step, plan.services)
    return sorted({first, *range(plan.step, plan.services, plan.step), plan.services})


async def _step(here: Scene, there: int, count: int) -> Look:
    numbers = range(there, count)
    began = await here.create(numbers)
    ended = await here.all_ready(numbers, within=60 + len(numbers) * SECONDS_EACH)
    await here.at_rest()
    pid = here.process.pid
    before = cpu_seconds(pid)
    await asyncio.sleep(LOOK)
    used = cpu_seconds(pid) - before
    now, most = memory_mib(pid)
    return Look(count, ended - began, now, most, used / LOOK * 100)


async def _rest(here: Scene, plan: Plan) -> dict[str, Any]:
    """Nothing happens for some minutes.

    Raises:
        BenchError: the operator wrote something.
    """
    pid = here.process.pid
    since, before, began = here.position(), cpu_seconds(pid), time.monotonic()
    samples = []
    while (gone := time.monotonic() - began) < plan.minutes * 60:
        await asyncio.sleep(min(EVERY, plan.minutes * 60 - gone))
        samples.append(
            {
                "seconds": round(time.monotonic() - began, 1),
                "mib": memory_mib(pid)[0],
                "cpuSeconds": cpu_seconds(pid) - before,
            }
        )
    if written := here.writes(since):
        raise BenchError(f"{len(written)} writes at rest, the first: {written[0]}")
    return {"writes": 0, "samples": samples}


def _line(looks: list[Look]) -> tuple[float, float]:
    """Slope and start of the line through the looks, in MiB for each service and MiB."""
    if len(looks) < 2:  # noqa: PLR2004
        return 0.0, looks[0].mib
    fitted = statistics.linear_regression(
        [one.services for one in looks], [one.mib for one in looks]
    )
    return fitted.slope, fitted.intercept


def draw(found: dict[str, Any], path: Path) -> None:
    """Memory over services with the fitted line, and memory over the time at rest, as SVG.

    Raises:
        BenchError: matplotlib is not there.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only this picture needs it
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        raise BenchError("matplotlib is not installed; the picture was not drawn") from None
    mpl.rcParams["svg.hashsalt"] = "wakala"  # the same figures, the same file
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    counts = [one["services"] for one in found["steps"]]
    slope = found["fit"]["mibPerThousandServices"]
    base = found["fit"]["mibWithoutServices"]
    left.plot(counts, [one["mib"] for one in found["steps"]], "o", label="measured at rest")
    ends = [0, max(counts)]
    left.plot(
        ends,
        [base + slope * end / THOUSAND for end in ends],
        "-",
        label=f"{base:.0f} MiB + {slope:.1f} MiB per 1,000 services",
    )
    left.set(xlabel="services", ylabel="resident memory, MiB", xlim=(0, None), ylim=(0, None))
    left.legend()
    samples = found["rest"]["samples"]
    right.plot([one["seconds"] / 60 for one in samples], [one["mib"] for one in samples])
    right.set(xlabel=f"minutes at rest with {max(counts):,} services", xlim=(0, None))
    right.set(ylim=(0, 1.2 * max(one["mib"] for one in samples)))
    figure.savefig(path, format="svg", metadata={"Date": None})


def write(found: dict[str, Any], path: Path) -> None:
    """The figures as JSON."""
    path.write_text(json.dumps(found, indent=1) + "\n")
