"""Run the programs of a build: a line now and then, their words in a log, a failure in one sentence."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BuildError", "Steps", "answer", "say"]

SAY_EVERY = 15.0
"""Seconds between two progress lines."""


class BuildError(Exception):
    """The images could not be built; the message is one sentence."""


def say(line: str) -> None:
    """Tell a person how far it is."""
    sys.stderr.write(f"image: {line}\n")
    sys.stderr.flush()


def answer(command: Sequence[str | Path], within: float | None = None) -> str | None:
    """What a program prints; None if it fails, is missing or takes longer than `within` seconds."""
    try:
        ran = subprocess.run(  # noqa: S603 - the commands are written in this package
            command, capture_output=True, text=True, timeout=within, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return ran.stdout.strip() if ran.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one build, with one log."""

    log: Path

    def run(
        self, what: str, command: Sequence[str | Path], env: Mapping[str, str] | None = None
    ) -> None:
        """Run one program to its end.

        Raises:
            BuildError: it is missing, or it failed.
        """
        began = time.monotonic()
        say(what)
        with self.log.open("ab") as log:
            log.write(f"\n# {what}\n".encode())
            log.flush()
            start = log.tell()
            try:
                process = subprocess.Popen(  # noqa: S603 - the commands are written in this package
                    command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            except OSError as error:
                raise BuildError(f"{what}: {error}") from None
            try:
                while True:
                    try:
                        code = process.wait(timeout=SAY_EVERY)
                        break
                    except subprocess.TimeoutExpired:
                        say(f"{what}: {time.monotonic() - began:.0f} s")
            finally:
                process.kill()
                process.wait()
        if code != 0:
            said = self.log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
            last = " | ".join(said[-3:]) or "it printed nothing"
            raise BuildError(f"{what}: failed, see {self.log}: {last}")
        say(f"{what}: done in {time.monotonic() - began:.0f} s")
