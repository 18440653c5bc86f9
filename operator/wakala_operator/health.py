"""The pages of the process: /healthz, /readyz, /metrics, and where asked for /debug/profile.

/healthz says that the event loop turns, /readyz that the first lists are done. Neither asks the API server anything: a
probe that failed with it would restart every operator of a cluster in trouble, when they are needed most.
"""

import asyncio
import cProfile
import io
import pstats
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from wakala_operator import metrics

__all__ = ["serve"]

LONGEST_PROFILE = 120.0
LINES = 60


@asynccontextmanager
async def serve(
    host: str, port: int, ready: Callable[[], bool], *, profiling: bool = False
) -> AsyncIterator[None]:
    """Answer the pages while the body runs.

    Args:
        host: address to listen on.
        port: port to listen on; 0 serves nothing.
        ready: whether the first lists are done.
        profiling: whether /debug/profile is there.
    """
    if port == 0:
        yield
        return

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if ready() else web.Response(text="listing\n", status=503)

    async def measured(_: web.Request) -> web.Response:
        body = generate_latest(metrics.REGISTRY)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", measured)]
    )
    if profiling:
        app.add_routes([web.get("/debug/profile", _profile)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()


async def _profile(request: web.Request) -> web.Response:
    """Where the loop's thread spent the next `seconds` (10 unless given), by function, most first."""
    try:
        seconds = min(float(request.query.get("seconds", "10")), LONGEST_PROFILE)
    except ValueError:
        return web.Response(text="seconds wants a number\n", status=400)
    profile = cProfile.Profile()
    try:
        profile.enable()
    except ValueError:
        return web.Response(text="another profile is being taken\n", status=409)
    try:
        await asyncio.sleep(seconds)
    finally:
        profile.disable()
    text = io.StringIO()
    pstats.Stats(profile, stream=text).sort_stats("cumulative").print_stats(LINES)
    return web.Response(text=text.getvalue())
