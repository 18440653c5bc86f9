"""An API server that fails on demand: a proxy in front of the real one.

The real API server won't answer 429 or fall silent when a test wants it to; everything that passes is its own. The operator
reaches it by plain HTTP on the loopback interface, with its token, which is passed on.
"""

import asyncio
import inspect
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from devcluster.cluster import Cluster

HOP = {"host", "transfer-encoding", "connection", "content-length", "content-encoding"}


@dataclass(frozen=True)
class Asked:
    """One request that came through."""

    method: str
    path: str
    query: dict[str, str]
    agent: str

    @property
    def watches(self) -> bool:
        """Whether it opens a stream."""
        return self.query.get("watch") == "true"

    @property
    def writes(self) -> bool:
        """Whether it changes something for real."""
        return self.method != "GET" and self.query.get("dryRun") != "All"


@dataclass(frozen=True)
class Answer:
    """What is said instead of the API server's answer."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": self.reason}
        text = json.dumps(body | {"code": self.status, "message": f"{self.reason} by the test"})
        return web.Response(
            status=self.status, text=text, content_type="application/json", headers=self.headers
        )


Fate = Answer | float | None
"""An answer of ours, seconds to wait before it is passed on, or None: passed on at once."""
Rule = Callable[[Asked], Fate | Awaitable[Fate]]
"""What becomes of a request; one that awaits holds this request and no other."""


def _pass(_: Asked) -> None:
    return None


async def _nothing(_: Asked) -> None:
    return


class Proxy:
    """A running proxy; its faults are attributes that a test sets."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.rule: Rule = _pass
        """What becomes of each request."""
        self.after: Callable[[Asked], Awaitable[None]] = _nothing
        """Awaited when the API server has answered, before its answer is passed back."""
        self.deaf: Callable[[Asked], bool] = lambda _: False
        """Streams that bring nothing any more, though their connections stay."""
        self.asked: list[Asked] = []
        """Every request, in the order they came."""
        self.port = 0
        self._streams: dict[asyncio.Task[Any], Asked] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        started = threading.Event()
        self._thread = threading.Thread(target=self._main, args=(started,), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig of the admin that leads through the proxy."""
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self.port}"}
        config["users"][0]["user"] = {"token": self.cluster.token}
        path = folder / "proxied.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        return path

    def cut(self, which: Callable[[Asked], bool] = lambda asked: asked.watches) -> int:
        """Break the connections of open streams; how many."""
        found = [task for task, asked in list(self._streams.items()) if which(asked)]
        for task in found:
            self._loop.call_soon_threadsafe(task.cancel)
        return len(found)

    def streams(self) -> list[Asked]:
        """Streams that are open now."""
        return list(self._streams.values())

    def end(self) -> None:
        """Close everything."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _main(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(started))
        self._loop.close()

    async def _serve(self, started: threading.Event) -> None:
        context = ssl.create_default_context(cafile=str(self.cluster.ca))
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False
        ) as session:

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(session, request)

            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{rest:.*}", handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.port = runner.addresses[0][1]
            started.set()
            await self._stop.wait()
            for task in list(self._streams):
                task.cancel()
            await runner.cleanup()
        await asyncio.sleep(
            0.25
        )  # a TLS connection takes a moment to close, and the loop ends next

    async def _handle(
        self, session: aiohttp.ClientSession, request: web.Request
    ) -> web.StreamResponse:
        agent = request.headers.get("User-Agent", "")
        asked = Asked(request.method, request.path, dict(request.query), agent)
        self.asked.append(asked)
        decided = self.rule(asked)
        fate = await decided if inspect.isawaitable(decided) else decided
        if isinstance(fate, Answer):
            return fate.response()
        if fate is not None:
            await asyncio.sleep(fate)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
        url = f"{self.cluster.server}{request.raw_path}"
        try:
            async with session.request(
                request.method, url, headers=headers, data=await request.read() or None
            ) as answer:
                return await self._pass_on(request, asked, answer)
        except aiohttp.ClientConnectionError:
            _break(request)
            return web.Response(status=502)

    async def _pass_on(
        self, request: web.Request, asked: Asked, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        kept = {
            k: v for k, v in answer.headers.items() if k.lower() not in HOP - {"content-encoding"}
        }
        if not asked.watches:
            body = await answer.read()
            await self.after(asked)
            return web.Response(status=answer.status, headers=kept, body=body)
        response = web.StreamResponse(status=answer.status, headers=kept)
        task = asyncio.current_task()
        assert task is not None
        self._streams[task] = asked
        try:
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                while self.deaf(asked):  # noqa: ASYNC110 - a test sets it, from another thread
                    await asyncio.sleep(0.1)
                await response.write(chunk)
        except asyncio.CancelledError:
            _break(request)
            raise
        finally:
            self._streams.pop(task, None)
        return response


def _break(request: web.Request) -> None:
    """Reset the connection, without a word of HTTP."""
    if request.transport is not None:
        request.transport.abort()
