"""The watches: each event goes into the store and wakes the service it belongs to.

Only `on.event` is used, with a selector on the server's side for children. kopf's other handlers would write finalizers
and annotations of their own, also from a process that only stands by (a banned-api rule holds this).

kopf has a thread and an event loop of its own. It takes the process's signals where it may, and when one of its watches
fails it ends with it every task of its loop, ours too, had we any there; here it ends alone and is begun anew.
"""

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any, cast

import kopf

from wakala_api.names import LABEL_MANAGED_BY, MANAGED_BY
from wakala_operator.cluster.client import Cluster
from wakala_operator.kinds import CHILDREN, WAKALASERVICE, Kind

__all__ = ["Saw", "watch"]

logger = logging.getLogger(__name__)
SHORTEST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds before watches that failed are begun anew; doubled while they fail again."""
COMING_UP = 10.0
"""Seconds until all watches are there."""
LOOK = 0.2
"""Seconds between two looks whether all watches are alive."""
WATCHER = "watcher for "
"""How kopf's names for the tasks of its watches begin."""

Saw = Callable[[Kind, str | None, dict[str, Any]], None]
"""Called with the kind, kopf's event type (None for the first list) and the object."""


async def watch(
    cluster: Cluster, namespaces: Sequence[str], saw: Saw, *, anew: Callable[[], None]
) -> None:
    """Report every event of a service or a child to `saw`, on the loop that called this, until cancelled.

    Args:
        cluster: whose credentials the watches use.
        namespaces: where to watch; empty: everywhere.
        saw: told of each event.
        anew: told when watches that failed are begun again.
    """
    pause = SHORTEST_PAUSE
    while True:
        began = time.monotonic()
        why = await _one_life(cluster, namespaces, saw)
        lasted = time.monotonic() - began > LONGEST_PAUSE
        pause = SHORTEST_PAUSE if lasted else min(pause * 2, LONGEST_PAUSE)
        logger.warning("the watches are begun anew in %.0f s: %s", pause, why)
        await asyncio.sleep(pause)
        anew()


async def _one_life(cluster: Cluster, namespaces: Sequence[str], saw: Saw) -> str:
    """Run kopf in a thread until it or one of its watches ends; why. What is left of it then ends in its own time."""
    loop, stop = asyncio.get_running_loop(), threading.Event()
    ended: asyncio.Future[str] = loop.create_future()

    def end(why: str) -> None:
        if not ended.done():
            ended.set_result(why)

    def over_there(call: Callable[..., None], *values: Any) -> None:
        with suppress(RuntimeError):  # that loop is closed: the process is on its way out
            loop.call_soon_threadsafe(call, *values)

    def tell(kind: Kind, event: str | None, obj: dict[str, Any]) -> None:
        over_there(saw, kind, event, obj)

    count = (1 + len(CHILDREN)) * max(len(namespaces), 1)

    def live() -> None:
        operator = kopf.operator(
            registry=_registry(cluster, tell),
            settings=_settings(),
            standalone=True,
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            stop_flag=stop,
        )
        try:
            asyncio.run(
                _until_a_watch_dies(operator, lambda why: over_there(end, why), count=count)
            )
        except Exception as error:  # noqa: BLE001 - whatever ends the watches, they are begun anew
            over_there(end, f"they failed with {type(error).__name__}")
        else:
            over_there(end, "they ended")

    threading.Thread(target=live, name="watches", daemon=True).start()
    try:
        return await ended
    finally:
        stop.set()


async def _until_a_watch_dies(
    operator: Coroutine[Any, Any, None], died: Callable[[str], None], *, count: int
) -> None:
    """Run kopf until it ends or one of its `count` watches does, or does not come up.

    A watch that is answered with 404 or 410 ends its task, and kopf goes on without it, deaf for that kind (tried on 1.45.2):
    nobody but the list of tasks tells. That kopf then takes ten seconds and more to end is why `died` is told first.
    """
    # What died is said by `died`; asyncio would say it again, with a page of traceback for each.
    asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
    task = asyncio.create_task(operator)
    patience = time.monotonic() + COMING_UP
    while not task.done():
        await asyncio.wait({task}, timeout=LOOK)
        alive = sum(one.get_name().startswith(WATCHER) for one in asyncio.all_tasks())
        if alive == count:
            patience = 0.0
        elif time.monotonic() > patience:
            died(f"{count - alive} of {count} have ended")
            task.cancel()
            return
    task.result()


def _registry(cluster: Cluster, tell: Saw) -> kopf.OperatorRegistry:
    """What kopf is to do: log in, and tell of events."""
    handlers = kopf.OperatorRegistry()

    async def login(**_: Any) -> kopf.ConnectionInfo:
        """As our client does: kopf's own ways ask DNS for the API server, and read a kubeconfig otherwise than kubectl."""
        return kopf.ConnectionInfo(**asdict(await cluster.credentials()))

    kopf.on.login(registry=handlers, id="login")(login)
    for kind in (WAKALASERVICE, *CHILDREN):
        _on_event(handlers, kind, tell)
    return handlers


def _on_event(handlers: kopf.OperatorRegistry, kind: Kind, tell: Saw) -> None:
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        tell(kind, event["type"], dict(event["object"]))

    # async although nothing is awaited: a plain function would go through kopf's thread pool (trap T5)
    kopf.on.event(*_resource(kind), registry=handlers, id=f"saw-{kind.plural}")(on_event)


def _resource(kind: Kind) -> tuple[str, str, str]:
    return kind.group, kind.version, kind.plural


def _settings() -> kopf.OperatorSettings:
    """Let kopf watch and do nothing else: no peering, no scanning, no Events of its own; our children only."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 360
    settings.networking.request_timeout = 30
    settings.queueing.idle_timeout = 1
    settings.queueing.exit_timeout = 0.5
    settings.networking.enforce_retry_after = True
    settings.networking.error_backoffs = _Endless()
    settings.persistence.diffbase_storage = _NoBase()
    settings.persistence.progress_storage = _NoProgress()
    for kind in CHILDREN:
        settings.watching.label_selectors[_resource(kind)] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
    return settings


class _NoBase(kopf.DiffBaseStorage):
    """No copy of each object to tell changes by, which `on.event` does not ask for: a tenth of our time (measured)."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        return

    def store(self, **_: Any) -> None:
        return


class _NoProgress(kopf.ProgressStorage):
    """No progress of handlers, which `on.event` does not have."""

    def fetch(self, **_: Any) -> None:
        return

    def store(self, **_: Any) -> None:
        return

    def purge(self, **_: Any) -> None:
        return

    def touch(self, **_: Any) -> None:
        return

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Endless:
    """Seconds between kopf's tries to reach the API server: it never gives up, and is back soon after it."""

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1.0, 2.0, 3.0)
        while True:
            yield random.uniform(4.0, 5.0)  # noqa: S311 - jitter
