"""The cluster that was named is taken if it is one for tests; the commands say what they do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.choose import choose
from devcluster.cluster import ClusterError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def renamed(cluster, tmp_path):
    """A kubeconfig of the running cluster under another context's name."""

    def make(context: str) -> Path:
        content = json.loads(cluster.kubeconfig.read_text())
        content["contexts"][0]["name"] = content["current-context"] = context
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(content))
        return path

    return make


def devcluster(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    clean = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        [sys.executable, "-m", "devcluster", *words],
        cwd=ROOT,
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def taken(directory: Path, path: Path | None, *, yes: bool = False) -> tuple[str, Path]:
    """What is chosen."""
    chosen = choose(directory, kubeconfig=path, yes_this_cluster=yes, nodes=1)
    return chosen.how, chosen.kubeconfig


@pytest.mark.parametrize("context", ["kind-wakala", "devcluster", "minikube"])
def test_a_test_cluster_is_taken(renamed, tmp_path, context):
    """And nothing else is started."""
    how, path = taken(tmp_path / "up", renamed(context))
    assert how.startswith(f"the cluster of context '{context}', Kubernetes v1.")
    assert path == tmp_path / "kubeconfig"
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize("context", ["production", "my-kind-of-cluster", "minikube-prod"])
def test_an_unknown_context_needs_a_word(renamed, tmp_path, context):
    """The refusal names it and says what to pass; with that it is taken."""
    with pytest.raises(ClusterError, match=f"'{context}'.*--yes-this-cluster"):
        taken(tmp_path / "up", renamed(context))
    assert taken(tmp_path / "up", renamed(context), yes=True)[1] == tmp_path / "kubeconfig"


def test_the_environment_names_a_cluster_too(renamed, tmp_path):
    """KUBECONFIG counts as --kubeconfig does; a refusal is one line and exit code 1."""
    path = renamed("production")
    words = ("up", "--directory", str(tmp_path / "up"))
    ended = devcluster(*words, KUBECONFIG=str(path))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "context 'production'" in ended.stderr
    ended = devcluster(*words, "--yes-this-cluster", KUBECONFIG=str(path))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == f"{path}\n"


def test_a_cluster_that_is_away_is_not_taken(renamed, tmp_path, cluster):
    """A stale kubeconfig is said to be one."""
    path = renamed("devcluster")
    path.write_text(path.read_text().replace(cluster.server, "https://127.0.0.1:1"))
    with pytest.raises(ClusterError, match="does not answer"):
        taken(tmp_path / "up", path)


@pytest.mark.parametrize("text", ["", "root:x:0:0", "{}", "a: [", "current-context: kind-x"])
def test_no_kubeconfig_is_said(tmp_path, text):
    """What can't be read, or names no cluster, is one sentence."""
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(ClusterError, match="kubeconfig") as caught:
        taken(tmp_path / "up", path)
    assert "\n" not in str(caught.value)


def test_up_and_down(tmp_path, processes):
    """`up` leaves a cluster that outlives it, twice is once, also named by its own KUBECONFIG; `down` ends it."""
    where = ("--directory", str(tmp_path / "up"))
    assert devcluster("status", *where).returncode == 1
    first = devcluster("up", "--nodes", "1", *where)
    assert first.returncode == 0, first.stderr
    assert "processes of this machine" in first.stderr
    path = first.stdout.strip()
    assert devcluster("kubeconfig", *where).stdout.strip() == path
    assert devcluster("status", *where).returncode == 0
    again = devcluster("up", *where, KUBECONFIG=path)
    assert "runs already" in again.stderr
    assert again.stdout.strip() == path
    assert devcluster("down", *where).stderr == "ended\n"
    assert processes(tmp_path) == {}
    assert not (tmp_path / "up").exists()
    stale = devcluster("up", "--nodes", "1", *where, KUBECONFIG=path)
    assert stale.returncode == 0, stale.stderr
    assert devcluster("down", *where).returncode == 0
    assert devcluster("kubeconfig", *where).returncode == 1
