"""The rendered settings in real servers: workers, loop, CPU limit, and an end that loses no request."""

import json
import os
import runpy
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import Server, Start, children, settled
from tests.support.until import until
from tests.unit.builds import built

SERVERS = ("gunicorn", "uvicorn")


@pytest.mark.parametrize("program", SERVERS)
def test_as_many_workers_as_asked_for(start: Start, program: str) -> None:
    server = start(program, runtime={"workers": 3})
    beside = 1 if program == "uvicorn" else 0  # uvicorn's multiprocessing keeps a resource tracker
    settled(lambda: len(children(server.process.pid)) - beside, 3)


@pytest.mark.parametrize("program", SERVERS)
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_the_loop_is_the_one_asked_for(start: Start, program: str, loop: str) -> None:
    server = start(program, runtime={"workers": 1, "loop": loop})
    assert json.loads(server.get())["loop"] == loop


@pytest.mark.parametrize("program", SERVERS)
def test_a_running_request_is_answered_after_the_end_was_asked_for(
    start: Start, program: str
) -> None:
    """What the kubelet does after preStop: SIGTERM, then the grace period that the pod asks for."""
    server = start(program, runtime={"workers": 2})
    answers: list[Any] = []
    slow = threading.Thread(target=lambda: answers.append(server.get("/slow")))
    slow.start()
    _wait_for_request(server)
    server.process.send_signal(signal.SIGTERM)
    slow.join(timeout=20)
    assert len(answers) == 1
    assert json.loads(answers[0])["pid"]
    server.process.wait(timeout=20)


def _wait_for_request(server: Server) -> None:
    """Until a connection is established with the server, so that the request is under way."""
    wanted = f":{server.port:04X}"

    def established() -> bool:
        rows = Path("/proc/net/tcp").read_text().splitlines()[1:]
        return any(r.split()[1].endswith(wanted) and r.split()[3] == "01" for r in rows)

    until(established)


def test_workers_follow_the_cpu_limit_of_the_cgroup(start: Start, limited: list[str]) -> None:
    """`auto` was rendered for four cores; the container wakes up with a limit of one and a half, and takes four workers."""
    limits = {"limits": {"cpu": "4"}, "requests": {"cpu": "1"}}
    server = start("gunicorn", *limited, runtime={"workers": "auto"}, resources=limits)
    settled(lambda: len(children(server.process.pid)), 4)


def test_a_given_number_of_workers_is_kept_whatever_the_limit(
    start: Start, limited: list[str]
) -> None:
    server = start("gunicorn", *limited, runtime={"workers": 5})
    settled(lambda: len(children(server.process.pid)), 5)


@pytest.fixture
def limited() -> Iterator[list[str]]:
    """Words before a command that run it in a cgroup of 1.5 cores that it sees as its root, as in a container."""
    root = Path("/sys/fs/cgroup")
    two = (root / "cgroup.controllers").exists()
    group = (root if two else root / "cpu") / f"wakala-test-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    if two:
        (group / "cpu.max").write_text("150000 100000")
    else:
        (group / "cpu.cfs_quota_us").write_text("150000")
    mount = f"mount --bind {group} {root if two else root / 'cpu'}"
    enter = f'echo $$ > {group}/cgroup.procs && exec unshare --mount sh -c \'{mount} && exec "$@"\' sh "$@"'
    yield ["sh", "-c", enter, "sh"]
    for pid in (group / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    until(lambda: not (group / "cgroup.procs").read_text().split())
    group.rmdir()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 0.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": ""}, None),
        ({}, None),
    ],
)
def test_the_limit_is_read_from_either_cgroup_version(
    tmp_path: Path, files: dict[str, str], expected: float | None
) -> None:
    """This kernel has one version mounted; the other's files are written out here as that kernel shows them."""
    for name, text in built()["ConfigMap"]["data"].items():
        (tmp_path / name).write_text(text)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    configuration = runpy.run_path(str(tmp_path / "gunicorn.conf.py"))
    assert configuration["_cpu_limit"](str(tmp_path)) == expected
