"""The command line as a process of its own, as a person runs it."""

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
BIN = Path(sys.executable).parent
HEAD = "apiVersion: wakala.com/v1alpha1\nkind: WakalaService\nmetadata: {name: api}\nspec:\n"
GOOD = HEAD + "  image: wakala/api:1.0.0\n"
BAD = HEAD + "  image: wakala/api:1.0.0\n  port: 0\n"
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3\d|9\d)m")
HIDDEN = ("KUBE", "WAKALA_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "PYTHON")


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """Ours without what would change an answer."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(HIDDEN)}
    return kept | {"PYTHONPATH": str(ROOT / "operator")} | more


def run(*command: str | Path, stdin: str | bytes = "", **more: Any) -> Ran:
    """Any command; what it prints is text."""
    told = stdin.encode() if isinstance(stdin, str) else stdin
    options = {"env": environment(), "timeout": 60} | more
    ended = subprocess.run(command, input=told, capture_output=True, check=False, **options)
    return Ran(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


def wakala(*words: str | Path, **more: Any) -> Ran:
    """`wakala` with these words; never a traceback."""
    ran = run(sys.executable, "-m", "wakala_cli", *map(str, words), **more)
    assert "Traceback" not in ran.out + ran.err, ran.err[-300:]
    return ran


def one_sentence(ran: Ran) -> str:
    """What could not be done, in one line and nothing else."""
    assert (ran.code, ran.out) == (2, ""), ran.out[-300:]
    assert ran.err.startswith("wakala: "), ran.err
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.endswith("\n")
    return ran.err.removeprefix("wakala: ").strip()


def on_a_terminal(*words: str | Path, code: int = 0, **more: str) -> str:
    """What a person sees: the output of the command on a terminal of 300 columns."""
    mine, theirs = pty.openpty()
    command = [sys.executable, "-m", "wakala_cli", *map(str, words)]
    told = environment(**{"TERM": "xterm-256color", "COLUMNS": "300"} | more)
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=told) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                part = os.read(mine, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            seen += part
        process.wait(timeout=60)
    os.close(mine)
    assert process.returncode == code, seen
    return seen.decode()
