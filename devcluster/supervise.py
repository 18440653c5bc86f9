"""The process that owns a cluster's processes: starts them, and ends them all when it must.

`python -m devcluster.supervise PLAN.json` reads what to start. The children get SIGKILL from the kernel when this process
dies, however it dies. It ends by itself when one child ends, on SIGTERM, and, where the plan says `lifeline`, when its
standard input closes: that is when whoever started it is gone.
"""

import ctypes
import json
import os
import select
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
READY_WITHIN = 60.0


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start(name: str, command: list[str], directory: Path) -> subprocess.Popen[bytes]:
    with (directory / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=directory,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one thread, and nothing but prctl
        )


def ready(server: str, ca: Path, token: str) -> bool:
    """Whether the API server answers /readyz with ok."""
    if not ca.exists():
        return False
    request = urllib.request.Request(  # noqa: S310
        f"{server}/readyz", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        context = ssl.create_default_context(cafile=str(ca))
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:  # noqa: S310
            return bool(answer.status == 200)  # noqa: PLR2004
    except (OSError, ssl.SSLError, urllib.error.URLError):
        return False


def main() -> int:
    """Start what the plan says, wait, end everything."""
    plan: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    directory = Path(plan["directory"])
    ending: list[str] = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append("asked to end"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = {name: _start(name, command, directory) for name, command in plan["first"].items()}
    deadline = time.monotonic() + READY_WITHIN
    started_all = False
    while not ending:
        gone = [name for name, child in children.items() if child.poll() is not None]
        if gone:
            ending.append(f"{gone[0]} ended with code {children[gone[0]].returncode}")
        elif not started_all and ready(plan["server"], Path(plan["ca"]), plan["token"]):
            for name, command in plan["then"].items():
                children[name] = _start(name, command, directory)
            started_all = True
            (directory / "started").touch()
        elif not started_all and time.monotonic() > deadline:
            ending.append(f"the API server was not ready within {READY_WITHIN:.0f} s")
        watched = [sys.stdin] if plan["lifeline"] else []
        readable, _, _ = select.select(watched, [], [], 0.02 if not started_all else 0.2)
        if readable and not os.read(sys.stdin.fileno(), 1024):
            ending.append("whoever started this is gone")
    (directory / "supervise.log").write_text(f"{ending[0]}\n")
    for child in children.values():
        child.kill()
    for child in children.values():
        child.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
