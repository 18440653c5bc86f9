"""The process that owns a cluster's processes: starts them, and ends them all when it must.

`python -m devcluster.supervise PLAN.json` reads what to start. The children get SIGKILL from the kernel when this process
dies, however it dies. It ends by itself when one child ends, on SIGTERM, and when its standard input closes: that is when
whoever started it is gone. A byte on its standard input lets go of that last tie (`make up`). A program whose name stands
in the file `held` is ended and started again once it does not (`cluster.without`).
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from devcluster.api import ready

__all__ = ["HELD", "READY_WITHIN", "last_line", "main"]

PR_SET_PDEATHSIG = 1
HELD = "held"
READY_WITHIN = 60.0
"""Seconds the API server has to become ready."""
LESS_COLLECTING = {"GOGC": "400"}
"""Of all that a start costs, Go's garbage collector is what can be had back: a tenth of it, for more memory."""


def _die_with(owner: int) -> None:
    """In the child, before exec: be killed when `owner` dies, also if it just did."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != owner:
        os._exit(1)


def _start(name: str, command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=LESS_COLLECTING | os.environ,
            preexec_fn=partial(_die_with, os.getpid()),  # noqa: PLW1509 - one thread, and nothing but prctl
        )


def _held(directory: Path) -> set[str]:
    """Names of the programs that should not run for now."""
    path = directory / HELD
    return set(path.read_text().split()) if path.exists() else set()


def last_line(log: Path) -> str:
    """The last thing a program said, in at most 300 characters."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1][-300:] if lines else "it said nothing"


def main() -> int:
    """Start what the plan says, wait, end everything."""
    plan: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(plan["directory"])
    children: dict[str, subprocess.Popen[bytes]] = {}
    try:
        why = _live(plan, directory, children)
    except OSError as error:  # a program that can't be started
        why = str(error)
    (directory / "supervise.log").write_text(f"{why}\n")
    for child in children.values():
        child.kill()
    for child in children.values():
        child.wait()
    return 0


def _live(
    plan: dict[str, Any], directory: Path, children: dict[str, subprocess.Popen[bytes]]
) -> str:
    """Start the children and stay until there is a reason to end; returns that reason."""
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children |= {name: _start(name, command, directory) for name, command in plan["first"].items()}
    waiting = dict(plan["then"])
    deadline = time.monotonic() + READY_WITHIN
    tie = [sys.stdin.fileno()]
    held: set[str] = set()
    while not asked:
        for name in _held(directory) & children.keys() - held:
            children[name].kill()
            children[name].wait()
            held.add(name)
            (directory / f"{name}.held").touch()
        for name in held - _held(directory):
            children[name] = _start(name, (plan["first"] | plan["then"])[name], directory)
            held.remove(name)
            (directory / f"{name}.held").unlink()
        for name, child in children.items():
            if name not in held and child.poll() is not None:
                said = last_line(directory / f"{name}.log")
                return f"{name} ended with code {child.returncode}, its last words: {said}"
        if waiting and ready(plan["server"], Path(plan["ca"]), token=plan["token"]):
            children |= {
                name: _start(name, command, directory) for name, command in waiting.items()
            }
            waiting.clear()
            (directory / "started").touch()
        if waiting and time.monotonic() > deadline:
            said = last_line(directory / "kube-apiserver.log")
            return (
                f"the API server was not ready within {READY_WITHIN:.0f} s, its last words: {said}"
            )
        readable, _, _ = select.select(tie, [], [], 0.03 if waiting else 0.2)
        if readable and not os.read(tie[0], 1):
            return "whoever started this is gone"
        if readable:
            tie.clear()
    return "asked to end"


if __name__ == "__main__":
    sys.exit(main())
