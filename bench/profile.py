"""Where our operator's time goes: py-spy over the making of many services, and over a start that finds nothing to do."""

import asyncio
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.client import BenchError
from bench.operators import OURS
from bench.scene import fresh_cluster, say, scene
from devcluster.cluster import Cluster

__all__ = ["Plan", "measure"]

RATE = 200
"""Samples a second."""
SECONDS_EACH = 2.0
"""Seconds that one service may take, before the run is given up."""
AFTER_READY = 5.0
"""Seconds after the last service became Ready that are looked at too."""
UP = 0.3
"""Seconds until a new process is a Python that can be looked into."""
_WAITING = "_worker (futures/thread.py)"
AFTER_START = 30.0
"""Seconds of a start that are looked at."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be profiled."""

    services: int
    stacks: Path
    """File for the collapsed stacks, as flame graph programs read them."""
    most: int
    """Rows of each table."""
    start: bool
    """Profile a start with all services there, instead of their making."""


def measure(plan: Plan) -> str:
    """Run it; the functions by time, with and without what they call.

    Raises:
        BenchError: py-spy is not installed.
    """
    spy = Path(sys.executable).with_name("py-spy")
    found = str(spy) if spy.exists() else shutil.which("py-spy")
    if found is None:
        raise BenchError("py-spy is not installed; pip install py-spy")
    with fresh_cluster() as cluster:
        asyncio.run(_run(cluster, plan, found))
    return _tables(plan)


async def _run(cluster: Cluster, plan: Plan, spy: str) -> None:
    numbers = range(plan.services)
    within = 60 + plan.services * SECONDS_EACH
    async with scene(cluster, OURS) as here:
        if plan.start:
            await here.create(numbers)
            await here.all_ready(numbers, within=within)
            await here.at_rest()
            here.process.stop()
            here.process.start_again()
            await asyncio.sleep(UP)
            with _spying(spy, here.process.pid, plan.stacks):
                await asyncio.sleep(AFTER_START)
            return
        with _spying(spy, here.process.pid, plan.stacks):
            began = await here.create(numbers)
            ended = await here.all_ready(numbers, within=within)
            say(f"{plan.services} services Ready in {ended - began:.1f} s under the profiler")
            await asyncio.sleep(AFTER_READY)


@contextmanager
def _spying(spy: str, pid: int, stacks: Path) -> Iterator[None]:
    """py-spy beside the process while the body runs."""
    command = [spy, "record", "--rate", str(RATE), "--format", "raw", "--duration", "86400"]
    watcher = subprocess.Popen(
        [*command, "--pid", str(pid), "--output", str(stacks)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        watcher.send_signal(signal.SIGINT)  # it writes what it has
        if watcher.wait(60) != 0:
            raise BenchError(f"py-spy ended with code {watcher.returncode}")


def _tables(plan: Plan) -> str:
    """Two tables from the collapsed stacks: functions with what they call, and alone.

    A thread of a pool that waits for work looks busy to py-spy, as it waits in C; it is left out.
    """
    inclusive: Counter[str] = Counter()
    own: Counter[str] = Counter()
    total = 0
    for line in plan.stacks.read_text().splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [_function(frame) for frame in stack.split(";")]
        if frames[-1] == _WAITING:
            continue
        total += int(times)
        own[frames[-1]] += int(times)
        for frame in set(frames):
            inclusive[frame] += int(times)
    lines = [f"{total / RATE:.1f} s of samples", "", "with what they call:"]
    lines += _rows(inclusive, total, plan.most)
    return "\n".join([*lines, "", "alone:", *_rows(own, total, plan.most)])


def _function(frame: str) -> str:
    """`name (file:line)` without the line and with a short path."""
    name, _, place = frame.partition(" (")
    path = place.rstrip(")").rpartition(":")[0] or place.rstrip(")")
    return f"{name} ({'/'.join(Path(path).parts[-2:])})"


def _rows(counted: Counter[str], total: int, most: int) -> list[str]:
    return [f"{times / total:6.1%}  {name}" for name, times in counted.most_common(most)]
