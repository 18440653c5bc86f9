"""Nothing is left running, whoever dies and however."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster import cluster as devcluster
from devcluster.cluster import Cluster, ClusterError, load, start, stop
from tests.support.until import until

ROOT = Path(__file__).parents[2]
START = "import sys, time; from pathlib import Path; from devcluster.cluster import start;"
ALL = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"]


def programs(found):
    """Their names without the digest of the pins."""
    return sorted(name for one in found.values() for name in ALL if one.startswith(name))


def listening(pids) -> list[str]:
    """Hexadecimal addresses the processes listen on."""
    inodes = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            kind, _, inode = str(entry.readlink()).partition(":")
            if kind == "socket":
                inodes.add(inode.strip("[]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return [row[1].split(":")[0] for row in rows if row[3] == "0A" and row[9] in inodes]


def test_a_cluster_comes_and_goes(tmp_path, processes):
    """Five programs and their owner, all on the loopback interface; none of them after `stop`."""
    home = tmp_path / "home"
    running = start(home, nodes=1)
    there = processes(home)
    assert programs(there) == ALL
    assert running.pid in there
    assert set(listening(there)) == {"0100007F"}
    assert load(home) == running
    with pytest.raises(ClusterError, match=r"runs in .* already"):
        start(home)
    stop(running)
    assert processes(home) == {}
    assert load(home) is None
    stop(running)


def test_it_starts_again_where_it_ended(tmp_path, monkeypatch, processes):
    """The same folder, given relative to here, holds a fresh cluster."""
    monkeypatch.chdir(tmp_path)
    first = start(Path("home"), nodes=1)
    stop(first)
    second = start(Path("home"), nodes=1)
    assert second.directory == tmp_path / "home"
    assert second.token != first.token
    stop(second)
    assert processes(tmp_path) == {}


@pytest.mark.parametrize("lifeline", [True, False])
def test_a_killed_starter_takes_all_along_while_it_starts(tmp_path, processes, lifeline):
    """Also a cluster that would outlive its starter is nobody's before it is ready."""
    code = f"{START} start(Path(sys.argv[1]), lifeline={lifeline})"
    starter = subprocess.Popen([sys.executable, "-c", code, tmp_path / "home"], cwd=ROOT)
    until(lambda: "kube-apiserver" in programs(processes(tmp_path / "home")))
    starter.kill()
    starter.wait()
    until(lambda: processes(tmp_path) == {}, within=5)


def test_a_killed_starter_takes_all_along(tmp_path, processes):
    """SIGKILL of the test run ends what it started."""
    code = f"{START} start(Path(sys.argv[1])); print('started', flush=True); time.sleep(300)"
    starter = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path / "home"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "started\n"
        assert programs(processes(tmp_path / "home")) == ALL
        starter.kill()
    until(lambda: processes(tmp_path) == {}, within=5)


def test_a_killed_owner_takes_all_along(tmp_path, processes):
    """Nothing needs to run for the programs to end."""
    running = start(tmp_path / "home", nodes=1)
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: programs(processes(tmp_path)) == [], within=5)
    stop(running)


def test_one_that_dies_takes_all_along(tmp_path, processes):
    """Half a cluster is none; the log says who went."""
    running = start(tmp_path / "home", nodes=1)
    there = processes(tmp_path)
    os.kill(next(pid for pid, name in there.items() if name.startswith("etcd")), signal.SIGKILL)
    until(lambda: programs(processes(tmp_path)) == [], within=5)
    assert "etcd ended with code -9" in (tmp_path / "home" / "supervise.log").read_text()
    stop(running)


def test_a_start_that_fails_is_one_sentence(tmp_path, processes, monkeypatch):
    """It has the program's last words, and nothing stays."""
    broken = tmp_path / "assets" / "etcd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho starting\necho no space left on device >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(broken.parent))
    with pytest.raises(ClusterError) as caught:
        start(tmp_path / "home")
    sentence = str(caught.value)
    assert "etcd ended with code 3, its last words: no space left on device" in sentence
    assert str(tmp_path / "home") in sentence
    assert "\n" not in sentence
    assert processes(tmp_path / "home") == {}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    """Neither started in nor removed."""
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ClusterError, match="not empty and holds no cluster"):
        start(tmp_path)
    with pytest.raises(ClusterError, match="not empty and holds no cluster"):
        devcluster.clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_nothing_secret_is_shown(tmp_path, processes):
    """Not on a command line, and in no file that others can read."""
    running: Cluster = start(tmp_path / "home", nodes=1)
    for pid in processes(tmp_path):
        assert running.token.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
    holding = [
        path
        for path in running.directory.iterdir()
        if path.is_file() and running.token in path.read_text(errors="replace")
    ]
    assert len(holding) >= 3
    assert {path.stat().st_mode & 0o077 for path in holding} == {0}
    stop(running)


def test_a_program_is_taken_away_and_comes_back(tmp_path, processes):
    """The API server of a running cluster ends and returns, with all it had; the others live through it."""
    running = start(tmp_path / "home", nodes=1)
    try:
        with devcluster.without(running, "kube-apiserver"):
            assert programs(processes(tmp_path / "home")) == [
                p for p in ALL if p != "kube-apiserver"
            ]
        assert programs(processes(tmp_path / "home")) == ALL
        assert load(tmp_path / "home") == running
    finally:
        stop(running)
