"""Both operators as processes: ours, and one on controller-runtime that makes the same objects."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.client import BenchError
from devcluster.binaries import Component, binary

__all__ = ["OURS", "PEER", "ROOT", "Process", "Program"]

ROOT = Path(__file__).parents[1]
_PEER_SOURCE = Path(__file__).parent / "peers" / "controller-runtime"
_PROGRAM = ROOT / "operator" / "wakala_operator" / "build" / "gunicorn.conf.py"
_NAMESPACE = "default"
"""Where both keep their Lease."""
_PATIENCE = 60.0
"""Seconds a process has to end."""


@dataclass(frozen=True, slots=True)
class Program:
    """An operator that can be started."""

    name: str
    """As the table calls it."""
    agent: str
    """Its user agent begins so; the audit log has it."""
    command: Callable[[], list[str]]
    """What to run; builds it first, if need be."""
    environment: dict[str, str]
    """Variables beside KUBECONFIG."""
    kubeconfig: str
    """Variable that carries the kubeconfig's path."""


def _ours() -> list[str]:
    return [sys.executable, "-m", "wakala_operator"]


def _peer() -> list[str]:
    """Built into the cache folder; its sources are in the file's name by way of the linker's flags."""
    sources = b"\0".join(path.read_bytes() for path in sorted(_PEER_SOURCE.glob("*.go")))
    revision = hashlib.sha256(sources).hexdigest()[:12]
    built = Component(_PEER_SOURCE, ".", 60, f"-s -w -X main.revision={revision}")
    path = binary("wakala-peer", components={"wakala-peer": built})
    return [str(path), f"-program={_PROGRAM}", f"-lease-namespace={_NAMESPACE}"]


OURS = Program(
    "ours",
    "wakala-operator",
    _ours,
    {"WAKALA_HEALTH_PORT": "0", "WAKALA_LEASE_NAMESPACE": _NAMESPACE},
    "WAKALA_KUBECONFIG",
)
PEER = Program("controller-runtime", "wakala-peer", _peer, {}, "KUBECONFIG")


class Process:
    """A running operator; what it says goes into a file."""

    def __init__(self, program: Program, kubeconfig: Path, log: Path) -> None:
        """Start it.

        Args:
            program: which one.
            kubeconfig: whose rights it has.
            log: file for what it says; more is added at its end.
        """
        self.program = program
        self._kubeconfig = kubeconfig
        self._log = log
        self._command = program.command()
        self._process = self._start()
        self.started = time.perf_counter()
        """The moment the process was made."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("WAKALA_", "KUBE"))
        }
        own = self.program.environment | {self.program.kubeconfig: str(self._kubeconfig)}
        with self._log.open("ab") as log:
            return subprocess.Popen(
                self._command, env=kept | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def stop(self) -> None:
        """Ask it to end, and wait.

        Raises:
            BenchError: it had ended by itself, or did not.
        """
        if self._process.poll() is not None:
            raise BenchError(f"{self.program.name} ended by itself: {self._last_words()}")
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BenchError(f"{self.program.name} did not end when asked to") from None

    def kill(self) -> None:
        """End it, if it still runs."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start it anew after `stop`."""
        self.started = time.perf_counter()
        self._process = self._start()

    def complaints(self) -> list[str]:
        """Lines of its log that should not be there."""
        marks = ("Traceback", " ERROR ", '"level":"error"', "panic:")
        lines = self._log.read_text(errors="replace").splitlines()
        return [line for line in lines if any(mark in line for mark in marks)]

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"
