"""What the kernel knows of a process, and what machine this is."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.client import BenchError
from devcluster.binaries import go

__all__ = ["apiserver_of", "cpu_seconds", "machine", "memory_mib"]

_TICK = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME = 11, 12
"""Places in /proc/PID/stat, counted behind the name in brackets."""


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time that a process has used, in user code and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICK


def memory_mib(pid: int) -> tuple[float, float]:
    """Resident memory of a process in MiB: now, and at its highest."""
    lines = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return tuple(int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))  # type: ignore[return-value]


def apiserver_of(owner: int) -> int:
    """The API server among the children of a cluster's process.

    Raises:
        BenchError: it is not there.
    """
    for task in Path(f"/proc/{owner}/task").iterdir():
        for child in (task / "children").read_text().split():
            program = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0]
            if Path(program.decode()).name.startswith("kube-apiserver"):
                return int(child)
    raise BenchError(f"process {owner} has no API server")


def machine() -> dict[str, Any]:
    """Where and when the figures were made; what else runs shows in the load."""
    processors = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    told = subprocess.run([go(), "version"], capture_output=True, text=True, check=True).stdout
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processors[0] if processors else platform.machine(),
        "cores": os.cpu_count(),
        "memoryGib": round(pages / 2**30),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "go": told.split()[2].removeprefix("go"),
        "loadBefore": round(os.getloadavg()[0], 1),
    }
