"""Start and stop a cluster of plain processes on the loopback interface.

Users are told apart by static tokens: the admin is in `system:masters` and may impersonate whoever a test needs. Every
write stands in the audit log, which is how tests count writes.
"""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devcluster import api
from devcluster.binaries import HERE
from devcluster.commands import control_plane, workers
from devcluster.credentials import ca_file, kubeconfig_of, private, write_credentials
from devcluster.nodes import node
from devcluster.supervise import HELD

__all__ = ["Cluster", "ClusterError", "alive", "clear", "load", "start", "stop", "without"]

PATIENCE = 60.0
"""Seconds any wait of this module lasts at most."""
PORTS = range(20_000, 32_000)
"""Where ports are picked: under 32768, where Linux begins to give out ports of its own to whoever dials."""
_PLAN = "plan.json"
_own: dict[int, subprocess.Popen[bytes]] = {}


class ClusterError(Exception):
    """A cluster could not be started or found; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running cluster."""

    directory: Path
    """Where its data, logs and credentials lie."""
    kubeconfig: Path
    """Kubeconfig of the admin (group system:masters)."""
    server: str
    """URL of the API server."""
    ca: Path
    """Certificate the API server is checked against."""
    token: str
    """The admin's token."""
    audit_log: Path
    """One JSON object a line: every write, and the reads of whoever is neither control plane nor admin."""
    pid: int
    """Process that owns all others."""


def start(
    directory: Path, *, nodes: int = 3, lifeline: bool = True, etcd: Sequence[str] = ()
) -> Cluster:
    """Start a cluster and wait until its nodes are ready and pods can be made.

    Args:
        directory: an empty or new folder for its data, or that of a cluster that has ended.
        nodes: kwok nodes to make, spread over three zones.
        lifeline: whether it ends with the process that calls this; else it lives until `stop`.
        etcd: more flags for etcd.

    Raises:
        ClusterError: something did not come up; names the log.
        BuildError: a program could not be built.
    """
    directory = directory.resolve()
    if running := load(directory):
        raise ClusterError(
            f"a cluster runs in {directory} already ({running.server}); end it first"
        )
    clear(directory)
    directory.mkdir(parents=True)
    ports = _free_ports()
    server = f"https://127.0.0.1:{ports[2]}"
    ca = ca_file(directory)
    token = write_credentials(directory, server)
    plan = {
        "directory": str(directory),
        "server": server,
        "ca": str(ca),
        "token": token,
        "first": control_plane(directory, ports, etcd),
        "then": workers(directory),
    }
    private(directory / _PLAN, json.dumps(plan))
    process = _supervisor(directory)
    log = directory / "audit.log"
    cluster = Cluster(directory, kubeconfig_of(directory), server, ca, token, log, process.pid)
    try:
        _wait((directory / "started").exists, cluster, process, "the API server")
        _wait(lambda: _made(cluster, nodes), cluster, process, f"{nodes} nodes")
        _wait(
            lambda: _usable(cluster, nodes), cluster, process, "the nodes and the default account"
        )
    except BaseException:
        stop(cluster)
        raise
    _write_down(cluster)
    if not lifeline and process.stdin is not None:
        process.stdin.write(b".")
        process.stdin.close()
    return cluster


def _supervisor(directory: Path) -> subprocess.Popen[bytes]:
    """Start the owner of all processes, in a session of its own and tied to us by its standard input."""
    with (directory / "supervise.err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "devcluster.supervise", str(directory / _PLAN)],
            cwd=HERE.parent,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    _own[process.pid] = process
    return process


def stop(cluster: Cluster) -> None:
    """End every process of the cluster and wait for it; its folder stays."""
    if process := _own.pop(cluster.pid, None):
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()  # the kernel ends the children
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
        return
    if alive(cluster):
        os.kill(cluster.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while alive(cluster):
        if time.monotonic() > deadline:
            raise ClusterError(f"process {cluster.pid} did not end within {PATIENCE:.0f} s")
        time.sleep(0.02)


@contextmanager
def without(cluster: Cluster, name: str) -> Iterator[None]:
    """End one of the cluster's programs, such as kube-apiserver, and start it again after the body.

    Raises:
        ClusterError: it did not end, or the API server did not come back.
    """
    held, mark = cluster.directory / HELD, cluster.directory / f"{name}.held"
    held.write_text(name)
    _until(mark.exists, f"{name} to end")
    try:
        yield
    finally:
        held.unlink()
        _until(lambda: not mark.exists(), f"{name} to start")
        _until(lambda: api.ready(cluster.server, cluster.ca, token=cluster.token), "the API server")


def _until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {PATIENCE:.0f} s in vain for {what}")
        time.sleep(0.03)


def alive(cluster: Cluster) -> bool:
    """Whether the process that owns the cluster is there."""
    try:
        command = Path(f"/proc/{cluster.pid}/cmdline").read_bytes()
        state = Path(f"/proc/{cluster.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return str(cluster.directory / _PLAN).encode() in command and state != "Z"


def load(directory: Path) -> Cluster | None:
    """The cluster that was started in `directory` and still runs."""
    try:
        written = json.loads((directory / "cluster.json").read_text())
    except (OSError, ValueError):
        return None
    paths = {name: Path(written[name]) for name in ("directory", "kubeconfig", "ca", "audit_log")}
    cluster = Cluster(**(written | paths))
    return cluster if alive(cluster) else None


def clear(directory: Path) -> None:
    """Remove the folder of a cluster that has ended.

    Raises:
        ClusterError: it holds something else.
    """
    if not directory.exists():
        return
    if any(directory.iterdir()) and not (directory / _PLAN).exists():
        raise ClusterError(f"{directory} is not empty and holds no cluster; give another folder")
    shutil.rmtree(directory)


def _free_ports() -> tuple[int, int, int]:
    """Three ports nobody listens on at this moment."""
    found: list[int] = []
    for port in random.sample(PORTS, 100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) != 0:
                found.append(port)
        if len(found) == 3:  # noqa: PLR2004
            return found[0], found[1], found[2]
    raise ClusterError(f"no free ports between {PORTS.start} and {PORTS.stop}")


def _ask(cluster: Cluster, path: str, method: str = "GET", body: Any = None) -> Any:
    return json.loads(
        api.call(
            cluster.server, cluster.ca, token=cluster.token, method=method, path=path, body=body
        )
    )


def _made(cluster: Cluster, count: int) -> bool:
    """Make the nodes that are not there yet."""
    there = {one["metadata"]["name"] for one in _ask(cluster, "/api/v1/nodes")["items"]}
    for wanted in map(node, range(count)):
        if wanted["metadata"]["name"] not in there:
            _ask(cluster, "/api/v1/nodes", "POST", wanted)
    return True


def _usable(cluster: Cluster, count: int) -> bool:
    """Whether the nodes are ready and a pod of the default namespace would be admitted."""
    _ask(cluster, "/api/v1/namespaces/default/serviceaccounts/default")
    conditions = [
        (one["type"], one["status"])
        for item in _ask(cluster, "/api/v1/nodes")["items"]
        for one in item["status"].get("conditions", [])
    ]
    return conditions.count(("Ready", "True")) == count


def _wait(
    holds: Callable[[], bool], cluster: Cluster, process: subprocess.Popen[bytes], what: str
) -> None:
    """Wait for what `holds` asks; an API server that refuses or does not answer has not come up yet."""
    deadline = time.monotonic() + PATIENCE
    problem = ""
    while True:
        try:
            if holds():
                return
        except OSError as error:
            problem = f" ({error})"
        if process.poll() is not None:
            raise ClusterError(f"{what} did not come up: {_why(cluster.directory)}")
        if time.monotonic() > deadline:
            where = f"the logs are in {cluster.directory}"
            raise ClusterError(f"{what} did not come up within {PATIENCE:.0f} s{problem}; {where}")
        time.sleep(0.03)


def _why(directory: Path) -> str:
    """What the supervisor left to say when it ended."""
    for name in ("supervise.log", "supervise.err"):
        path = directory / name
        if path.exists() and (said := path.read_text().strip()):
            return f"{said.splitlines()[-1]}; the logs are in {directory}"
    return f"its supervisor ended without a word; the logs are in {directory}"


def _write_down(cluster: Cluster) -> None:
    fields = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(cluster).items()
    }
    private(cluster.directory / "cluster.json", json.dumps(fields))
