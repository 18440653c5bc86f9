"""The operator as a process of its own, as it runs in a pod."""

import atexit
import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Operator:
    """A running operator, ended by `stop` or `kill`."""

    def __init__(self, kubeconfig: Path, log: Path, **settings: str) -> None:
        self.log = log
        self.lease = settings.pop("lease", f"test-{uuid.uuid4().hex[:8]}")
        self._settings = settings
        self._kubeconfig = kubeconfig
        self.process = self._start()
        atexit.register(self.kill)  # also where a test fails before it ends what it started

    def _start(self) -> subprocess.Popen[bytes]:
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAKALA_", "KUBE"))
        }
        asked = {f"WAKALA_{name.upper()}": value for name, value in self._settings.items()}
        base = {
            # Operators of different tests do not wait for each other; each leads as soon as it can.
            "WAKALA_LEASE": self.lease,
            "WAKALA_KUBECONFIG": str(self._kubeconfig),
            "WAKALA_HEALTH_PORT": "0",
            "WAKALA_REFERENCES_SECONDS": "2",
        }
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "wakala_operator"],
                env=environment | base | asked | {"PYTHONPATH": str(ROOT / "operator")},
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def stop(self) -> int:
        """Ask it to end, and wait; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """End it without a word."""
        self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)

    def start(self) -> None:
        """Start it again after `stop` or `kill`."""
        self.process = self._start()

    def lines(self) -> list[str]:
        """What it has logged."""
        return self.log.read_text().splitlines()

    def tracebacks(self) -> list[str]:
        """Lines that should never be there."""
        return [line for line in self.lines() if "Traceback" in line or " ERROR " in line]


def settle(seconds: float) -> None:
    """Let time pass: for facts of the kind `nothing happens`."""
    time.sleep(seconds)
