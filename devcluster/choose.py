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
from kubernetes import client, config

from devcluster import cluster
from devcluster.credentials import kubeconfig_of

__all__ = ["TEST_CONTEXTS", "Chosen", "choose", "let_go"]

TEST_CONTEXTS = ("kind-*", "devcluster", "minikube")
"""Patterns of the contexts that are taken without asking."""
KIND_NAME = "wakala"
KIND_SECONDS = 600
"""How long kind may take: it fetches an image of a gigabyte first."""


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
        directory: where a cluster of our own keeps its data; one that runs there is taken.
        kubeconfig: a cluster that was named; None looks at $KUBECONFIG.
        yes_this_cluster: accept a named cluster whose context does not look like a test cluster.
        nodes: kwok nodes of a cluster of our own.

    Raises:
        ClusterError: the named cluster is no test cluster or is away, or nothing could be started.
        BuildError: a program of our own cluster could not be built.
    """
    named = kubeconfig or (Path(given) if (given := os.environ.get("KUBECONFIG")) else None)
    # A kubeconfig that an earlier `up` wrote names no other cluster than the one it is about to start.
    if named is not None and named.resolve() != kubeconfig_of(directory.resolve()):
        return _named(named, yes_this_cluster=yes_this_cluster)
    if running := cluster.load(directory):
        return Chosen(f"the cluster that runs already at {running.server}", running.kubeconfig)
    if shutil.which("kind") and _docker_answers():
        return _kind(directory)
    started = cluster.start(directory, nodes=nodes, lifeline=False)
    how = f"etcd, Kubernetes and kwok as processes of this machine at {started.server}"
    return Chosen(how, started.kubeconfig)


def let_go(directory: Path) -> bool:
    """End what `choose` started in `directory`; whether there was anything."""
    running = cluster.load(directory)
    if running is not None:
        cluster.stop(running)
    kind = _kind_file(directory).exists()
    if kind:
        _kind_says("delete", directory)
        _kind_file(directory).unlink(missing_ok=True)
    cluster.clear(directory)
    return running is not None or kind


def _named(path: Path, *, yes_this_cluster: bool) -> Chosen:
    try:
        context = str(yaml.safe_load(path.read_text())["current-context"])
    except (OSError, yaml.YAMLError, TypeError, KeyError, UnicodeDecodeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise cluster.ClusterError(
            f"{path} can't be read as a kubeconfig with a current-context ({why})"
        ) from None
    known = any(fnmatch.fnmatch(context, pattern) for pattern in TEST_CONTEXTS)
    if not known and not yes_this_cluster:
        raise cluster.ClusterError(
            f"context {context!r} of {path} is none of a test cluster ({', '.join(TEST_CONTEXTS)}); "
            "pass --yes-this-cluster if it is meant"
        )
    try:
        with config.new_client_from_config(str(path), context=context) as reach:
            version = client.VersionApi(reach).get_code(_request_timeout=5).git_version
    except Exception as error:  # noqa: BLE001 - whatever a kubeconfig's plugins, files and network may raise
        why = str(error).splitlines()[0][:200]
        raise cluster.ClusterError(
            f"the cluster of context {context!r} in {path} does not answer ({why}); "
            "start it, or unset KUBECONFIG to get one of our own"
        ) from None
    return Chosen(f"the cluster of context {context!r}, Kubernetes {version}", path)


def _docker_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def _kind(directory: Path) -> Chosen:
    """A kind cluster. Not tried where this was written, as no image registry answered there."""
    directory.mkdir(parents=True, exist_ok=True)
    if not _kind_file(directory).exists():
        _kind_says("create", directory)
    return Chosen(f"kind's cluster {KIND_NAME!r}", _kind_file(directory))


def _kind_file(directory: Path) -> Path:
    return directory / "kind.kubeconfig"


def _kind_says(verb: str, directory: Path) -> None:
    command = ["kind", verb, "cluster", "--name", KIND_NAME]
    command += ["--kubeconfig", str(_kind_file(directory))]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=KIND_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise cluster.ClusterError(f"kind could not {verb} the cluster: {error}") from None
    if asked.returncode != 0:
        said = " ".join(asked.stderr.split())[-300:]
        raise cluster.ClusterError(f"kind could not {verb} the cluster: {said}")
