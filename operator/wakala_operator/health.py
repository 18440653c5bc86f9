"""/healthz and /readyz: the event loop turns; the first lists are done. Neither asks the API server anything.

A probe that failed with the API server would restart every operator of a cluster in trouble, when they are needed most.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

__all__ = ["serve"]


@asynccontextmanager
async def serve(host: str, port: int, ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Answer both pages while the body runs.

    Args:
        host: address to listen on.
        port: port to listen on; 0 serves nothing.
        ready: whether the first lists are done.
    """
    if port == 0:
        yield
        return

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(text="listing\n", status=503)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
