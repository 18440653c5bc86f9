"""A real gunicorn or uvicorn that runs what the operator renders, on a port of its own."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.until import until
from tests.unit.builds import built, container

APPLICATION = """
import asyncio, json, os, threading

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(1.5)
    loop = type(asyncio.get_running_loop()).__module__.split(".")[0]
    body = json.dumps({"pid": os.getpid(), "parent": os.getppid(), "loop": loop}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})
"""


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def get(self, path: str = "/") -> bytes:
        """One request."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return bytes(answer.read())

    def answers(self) -> bool:
        """Whether it serves."""
        try:
            self.get()
        except (urllib.error.URLError, ConnectionError):
            assert self.process.poll() is None, self.log.read_text()
            return False
        return True


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program with the environment and files of a rendered pod; ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(program: str, *prefix: str, **spec: Any) -> Server:
        port = free_port()
        spec |= {"port": port}
        for name, text in built(**spec)["ConfigMap"]["data"].items():
            (tmp_path / name).write_text(text)
        (tmp_path / "application.py").write_text(APPLICATION)
        # The files are mounted at /etc/wakala in a pod; here they lie in the test's own folder.
        environment = {
            entry["name"]: entry["value"].replace("/etc/wakala", str(tmp_path))
            for entry in container(**spec)["env"]
            if "value" in entry
        }
        log = tmp_path / "server.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", program, "application:app"],
                cwd=tmp_path,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        server = Server(process, port, log)
        until(server.answers)
        return server

    yield begin
    for process in running:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in listed]


def settled(count: Callable[[], int], wanted: int) -> None:
    """Wait for a count, and see that it stays."""
    until(lambda: count() == wanted)
    time.sleep(0.5)
    assert count() == wanted
