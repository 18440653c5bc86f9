"""Start and stop a cluster of plain processes on the loopback interface.

Users are told apart by static tokens: the admin is in `system:masters` and may impersonate whoever a test needs. Every
write stands in the audit log, which is how tests count writes.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devcluster.binaries import HERE, binary

__all__ = ["Cluster", "ClusterError", "alive", "load", "start", "stop"]

PATIENCE = 60.0
"""Seconds any wait of this module lasts at most."""
_lifelines: dict[int, subprocess.Popen[bytes]] = {}


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
    """One JSON object a line for each request that is not a plain read of the system's own."""
    pid: int
    """Process that owns all others."""


def start(directory: Path, *, nodes: int = 3, lifeline: bool = True) -> Cluster:
    """Start a cluster and wait until its nodes are ready.

    Args:
        directory: an empty or new folder for its data.
        nodes: kwok nodes to make, spread over three zones.
        lifeline: whether it ends with the process that calls this; else it lives until `stop`.

    Raises:
        ClusterError: something did not come up; names the log.
        BuildError: a program could not be built.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = {name: str(binary(name)) for name in _PROGRAMS}
    ports = _free_ports(3)
    server = f"https://127.0.0.1:{ports[2]}"
    ca = directory / "pki" / "apiserver.crt"
    tokens = {user: secrets.token_urlsafe(24) for user in _USERS}
    _credentials(directory, server, ca, tokens)
    plan = {
        "directory": str(directory),
        "server": server,
        "ca": str(ca),
        "token": tokens["admin"],
        "lifeline": lifeline,
        "first": _first(paths, directory, ports),
        "then": _then(paths, directory),
    }
    plan_file = directory / "plan.json"
    plan_file.write_text(json.dumps(plan))
    process = subprocess.Popen(
        [sys.executable, "-m", "devcluster.supervise", str(plan_file)],
        cwd=HERE.parent,
        stdin=subprocess.PIPE if lifeline else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(directory / "supervise.err").open("wb"),
        start_new_session=True,
    )
    _lifelines[process.pid] = process
    cluster = Cluster(
        directory,
        directory / "admin.kubeconfig",
        server,
        ca,
        tokens["admin"],
        directory / "audit.log",
        process.pid,
    )
    try:
        _wait(lambda: (directory / "started").exists(), process, directory, "the API server")
        _until_allowed(cluster)
        _make_nodes(cluster, nodes)
        _wait(lambda: _ready_nodes(cluster) == nodes, process, directory, f"{nodes} nodes")
    except BaseException:
        stop(cluster)
        raise
    _write_down(cluster)
    return cluster


def stop(cluster: Cluster) -> None:
    """End every process of the cluster and wait for it; its folder stays."""
    try:
        os.kill(cluster.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    process = _lifelines.pop(cluster.pid, None)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            if process.stdin is not None:
                process.stdin.close()
            return
        if process is None and not alive(cluster):
            return
        time.sleep(0.02)
    raise ClusterError(f"process {cluster.pid} did not end within {PATIENCE:.0f} s")


def alive(cluster: Cluster) -> bool:
    """Whether the process that owns the cluster is there."""
    try:
        command = Path(f"/proc/{cluster.pid}/cmdline").read_bytes()
        state = Path(f"/proc/{cluster.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return b"devcluster.supervise" in command and state != "Z"


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
    """Remove what a cluster left in its folder."""
    shutil.rmtree(directory, ignore_errors=True)


_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
_USERS = {
    "admin": ("admin", "system:masters"),
    "kube-controller-manager": ("system:kube-controller-manager", ""),
    "kube-scheduler": ("system:kube-scheduler", ""),
    "kwok": ("kwok", "system:masters"),
}


def _free_ports(count: int) -> list[int]:
    """Ports nobody listens on at this moment."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [int(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _credentials(directory: Path, server: str, ca: Path, tokens: dict[str, str]) -> None:
    """Tokens, the key that signs ServiceAccount tokens, and a kubeconfig for each user."""
    rows = [f'{tokens[user]},{name},{name},"{group}"' for user, (name, group) in _USERS.items()]
    _private(directory / "tokens.csv", "\n".join(rows) + "\n")
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    _private(directory / "service-account.key", key.decode())
    for user, token in tokens.items():
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "devcluster",
                    "cluster": {"server": server, "certificate-authority": str(ca)},
                }
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [
                {"name": "devcluster", "context": {"cluster": "devcluster", "user": user}}
            ],
            "current-context": "devcluster",
        }
        _private(directory / f"{user}.kubeconfig", json.dumps(config, indent=1))


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _first(paths: dict[str, str], directory: Path, ports: list[int]) -> dict[str, list[str]]:
    """etcd and the API server; the latter waits for the former by itself."""
    client, peer = (f"http://127.0.0.1:{port}" for port in ports[:2])
    key = str(directory / "service-account.key")
    return {
        "etcd": [
            paths["etcd"],
            f"--data-dir={directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--logger=zap",
            "--log-level=warn",
        ],
        "kube-apiserver": [
            paths["kube-apiserver"],
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={ports[2]}",
            f"--cert-dir={directory / 'pki'}",
            f"--token-auth-file={directory / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--audit-policy-file={HERE / 'audit.yaml'}",
            f"--audit-log-path={directory / 'audit.log'}",
            "--endpoint-reconciler-type=none",
        ],
    }


def _then(paths: dict[str, str], directory: Path) -> dict[str, list[str]]:
    """What needs a ready API server."""
    config = {user: f"--kubeconfig={directory / user}.kubeconfig" for user in _USERS}
    ca = directory / "pki" / "apiserver.crt"
    key = directory / "service-account.key"
    return {
        "kube-controller-manager": [
            paths["kube-controller-manager"],
            config["kube-controller-manager"],
            f"--service-account-private-key-file={key}",
            f"--root-ca-file={ca}",
            "--use-service-account-credentials",
            "--leader-elect=false",
            "--secure-port=0",
            "--horizontal-pod-autoscaler-sync-period=1s",
            "--node-monitor-grace-period=10m",
        ],
        "kube-scheduler": [
            paths["kube-scheduler"],
            config["kube-scheduler"],
            "--leader-elect=false",
            "--secure-port=0",
        ],
        "kwok": [
            paths["kwok"],
            config["kwok"],
            "--manage-all-nodes=true",
            "--cidr=10.200.0.0/16",
            "--node-ip=127.0.0.1",
            "--node-lease-duration-seconds=200",
            f"--config={HERE / 'stages.yaml'}",
        ],
    }


def _call(cluster: Cluster, method: str, path: str, body: Any = None) -> Any:
    request = urllib.request.Request(  # noqa: S310
        cluster.server + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=str(cluster.ca))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        return json.load(answer)


def _until_allowed(cluster: Cluster) -> None:
    """/readyz says ok a moment before the default namespace is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            _call(cluster, "GET", "/api/v1/namespaces/default")
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise ClusterError(f"the API server made no default namespace within {PATIENCE:.0f} s")


def _make_nodes(cluster: Cluster, count: int) -> None:
    """Nodes in three zones; each second one is of an instance type the guide prefers."""
    for number in range(count):
        name = f"node-{number}"
        labels = {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": "c5.xlarge" if number % 2 == 0 else "m5.xlarge",
            "topology.kubernetes.io/zone": f"zone-{'abc'[number % 3]}",
            "topology.kubernetes.io/region": "region-1",
        }
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}
        _call(cluster, "POST", "/api/v1/nodes", node)


def _ready_nodes(cluster: Cluster) -> int:
    nodes = _call(cluster, "GET", "/api/v1/nodes")["items"]
    return sum(
        any(
            c["type"] == "Ready" and c["status"] == "True"
            for c in node["status"].get("conditions", [])
        )
        for node in nodes
    )


def _wait(
    holds: Callable[[], bool], process: subprocess.Popen[bytes], directory: Path, what: str
) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if process.poll() is not None:
            log = directory / "supervise.log"
            why = log.read_text().strip() if log.exists() else "its supervisor ended without a word"
            raise ClusterError(f"{what} did not come up: {why}; the logs are in {directory}")
        if time.monotonic() > deadline:
            raise ClusterError(f"{what} did not come up within {PATIENCE:.0f} s; see {directory}")
        time.sleep(0.03)


def _write_down(cluster: Cluster) -> None:
    fields = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(cluster).items()
    }
    _private(cluster.directory / "cluster.json", json.dumps(fields))


def authority(cluster: Cluster) -> str:
    """The certificate authority as base64, for a kubeconfig of a test's own user."""
    return base64.b64encode(cluster.ca.read_bytes()).decode()
