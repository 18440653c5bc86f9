"""What the measurements say to the API server: plain HTTP, and watches that tell when something became so."""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import aiohttp

from devcluster.cluster import Cluster

__all__ = ["BenchError", "Client", "Watch", "connected"]

Seen = TypeVar("Seen")
READ_AT_ONCE = 2**22
"""Bytes; longer than any line of a watch."""
AGAIN = 0.2
"""Seconds before a watch that ended is begun anew."""


class BenchError(Exception):
    """A measurement that can't be made; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Client:
    """The admin's view of a cluster."""

    session: aiohttp.ClientSession
    server: str

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        **query: str,
    ) -> Any:
        """One request; the answer as JSON.

        Raises:
            BenchError: the API server refused it.
        """
        text = await self.text(method, path, body, kind=kind, **query)
        return json.loads(text)

    async def text(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        **query: str,
    ) -> str:
        """One request; the answer as it is.

        Raises:
            BenchError: the API server refused it.
        """
        data = None if body is None else json.dumps(body)
        async with self.session.request(
            method, f"{self.server}/{path}", data=data, params=query, headers={"Content-Type": kind}
        ) as answer:
            text = await answer.text()
            if not answer.ok:
                raise BenchError(f"{method} {path} was answered {answer.status}: {text[:300]}")
            return text

    async def merge(self, path: str, change: Any) -> Any:
        """Lay `change` over an object."""
        return await self.call("PATCH", path, change, kind="application/merge-patch+json")


@asynccontextmanager
async def connected(cluster: Cluster) -> AsyncIterator[Client]:
    """A client of the cluster's admin."""
    headers = {"Authorization": f"Bearer {cluster.token}", "User-Agent": "bench"}
    secure = ssl.create_default_context(cafile=str(cluster.ca))
    connector = aiohttp.TCPConnector(ssl=secure, limit=0)
    wait = aiohttp.ClientTimeout(total=None, sock_connect=30)
    async with aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=wait, read_bufsize=READ_AT_ONCE
    ) as session:
        yield Client(session, cluster.server)


class Watch(Generic[Seen]):
    """The objects under one path as a watch shows them, reduced to what `seen` keeps of each."""

    def __init__(self, client: Client, path: str, seen: Callable[[dict[str, Any]], Seen]) -> None:
        """Watch `path`, once entered as a context."""
        self._client = client
        self._path = path
        self._seen = seen
        self._waiting: list[_Wait[Seen]] = []
        self._task: asyncio.Task[None] | None = None
        self.latest: dict[str, Seen] = {}
        """By name."""

    async def __aenter__(self) -> Self:
        version = await self._list()
        self._task = asyncio.create_task(self._follow(version))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def until(
        self, names: Iterable[str], holds: Callable[[Seen], bool], *, within: float
    ) -> float:
        """Wait until `holds` is true of every named object; the moment it became so, in `time.perf_counter`.

        Raises:
            BenchError: it did not within so many seconds.
        """
        pending = {name for name in names if not self._is(name, holds)}
        if not pending:
            return time.perf_counter()
        wait = _Wait(pending, holds, asyncio.get_running_loop().create_future())
        self._waiting.append(wait)
        try:
            return await asyncio.wait_for(wait.done, within)
        except TimeoutError:
            some = ", ".join(sorted(wait.pending)[:3])
            raise BenchError(
                f"{len(wait.pending)} objects under {self._path} were not as waited for within {within:.0f} s: {some}"
            ) from None
        finally:
            self._waiting.remove(wait)

    def _is(self, name: str, holds: Callable[[Seen], bool]) -> bool:
        return name in self.latest and holds(self.latest[name])

    async def _list(self) -> str:
        found = await self._client.call("GET", self._path)
        for item in found["items"]:
            self._take(item)
        return str(found["metadata"]["resourceVersion"])

    def _take(self, item: dict[str, Any]) -> None:
        name = item["metadata"]["name"]
        self.latest[name] = seen = self._seen(item)
        for wait in self._waiting:
            if name in wait.pending and wait.holds(seen):
                wait.pending.discard(name)
                if not wait.pending and not wait.done.done():
                    wait.done.set_result(time.perf_counter())

    async def _follow(self, version: str) -> None:
        while True:
            async with self._client.session.get(
                f"{self._client.server}/{self._path}",
                params={"watch": "true", "resourceVersion": version, "timeoutSeconds": "3600"},
            ) as answer:
                async for line in answer.content:
                    event = json.loads(line)
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        self._take(event["object"])
            await asyncio.sleep(AGAIN)
            version = await self._list()


@dataclass(slots=True)
class _Wait(Generic[Seen]):
    """Somebody who waits for objects to be as they want them."""

    pending: set[str]
    """Names of those that are not yet."""
    holds: Callable[[Seen], bool]
    done: asyncio.Future[float]
