"""Which cluster `make up` uses: the one that was named, else kind where Docker answers, else our own processes.

A cluster that was named must look like a test cluster, or the caller says that it is meant: the tests delete things.
"""

import fnmatch
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from devcluster import cluster

__all__ = ["Chosen", "choose"]

TEST_CONTEXTS = ("kind-*", "devcluster", "minikube")
KIND_NAME = "wakala"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cluster to use."""

    how: str
    """Where it comes from, in words."""
    kubeconfig: Path
    """Its kubeconfig."""


def choose(
    directory: Path, *, kubeconfig: Path | None, yes_this_cluster: bool, nodes: int
) -> Chosen:
    """Find or start a cluster.

    Args:
        directory: where a cluster of our own keeps its data.
        kubeconfig: a cluster that was named; None looks at $KUBECONFIG.
        yes_this_cluster: accept a named cluster whose context does not look like a test cluster.
        nodes: kwok nodes of a cluster of our own.

    Raises:
        ClusterError: the named cluster is no test cluster, or nothing could be started.
    """
    named = kubeconfig or (Path(given) if (given := os.environ.get("KUBECONFIG")) else None)
    if named is not None:
        return _named(named, yes_this_cluster=yes_this_cluster)
    if _docker_answers() and shutil.which("kind"):
        return _kind(directory)
    started = cluster.start(directory, nodes=nodes, lifeline=False)
    return Chosen("processes of our own on the loopback interface", started.kubeconfig)


def _named(path: Path, *, yes_this_cluster: bool) -> Chosen:
    try:
        context = (yaml.safe_load(path.read_text()) or {}).get("current-context", "")
    except (OSError, yaml.YAMLError, AttributeError) as error:
        raise cluster.ClusterError(
            f"{path} can't be read as a kubeconfig ({type(error).__name__})"
        ) from None
    known = any(fnmatch.fnmatch(context, pattern) for pattern in TEST_CONTEXTS)
    if not known and not yes_this_cluster:
        raise cluster.ClusterError(
            f"context {context!r} of {path} is none of a test cluster ({', '.join(TEST_CONTEXTS)}); "
            "pass --yes-this-cluster if it is meant"
        )
    return Chosen(f"the cluster of context {context!r}", path)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    return asked.returncode == 0


def _kind(directory: Path) -> Chosen:
    """A kind cluster. Not tried where this was written, as no image registry answered there."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "kind.kubeconfig"
    command = ["kind", "create", "cluster", "--name", KIND_NAME, "--kubeconfig", str(path)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise cluster.ClusterError(f"kind could not make a cluster: {made.stderr.strip()[-200:]}")
    return Chosen("kind", path)
