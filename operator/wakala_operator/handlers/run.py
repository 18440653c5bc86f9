"""The running operator: kopf's watches wake the queue, the queue's workers make passes, lists correct the picture."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import kopf

from wakala_api.names import LABEL_MANAGED_BY, MANAGED_BY
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import ClusterError, Forbidden, NotFound
from wakala_operator.handlers import watch
from wakala_operator.health import serve
from wakala_operator.judge.outcome import Wait
from wakala_operator.judge.plan import controller_of
from wakala_operator.kinds import CHILDREN, WAKALASERVICE, Kind
from wakala_operator.logging import current_service
from wakala_operator.reconcile.queue import Queue
from wakala_operator.reconcile.service import again, reconcile
from wakala_operator.reconcile.world import Key, World
from wakala_operator.settings import Settings

__all__ = ["run"]

logger = logging.getLogger(__name__)
CRD_PATIENCE = 2.0
"""Seconds between two looks for the CRD, where the operator was there first."""
SETTLING = 10.0
"""Seconds after the start when the lists are read again: the watches begin later than the first lists."""


class Operator:
    """One process: its world, its queue, and how they wake each other."""

    def __init__(self, world: World) -> None:
        """Nothing runs yet."""
        self.world = world
        self.queue: Queue[Key] = Queue(self._work, workers=world.settings.workers)
        self.listed = False

    def saw(self, kind: Kind, event: str | None, obj: dict[str, Any]) -> None:
        """Take in one watch event and wake the service it belongs to."""
        if self.world.store.saw(kind, event, obj):
            self._wake(kind, obj)

    def _wake(self, kind: Kind, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        if kind == WAKALASERVICE:
            self.queue.wake((metadata["namespace"], metadata["name"]))
        elif (owner := controller_of(obj)) is not None and owner.get("kind") == WAKALASERVICE.kind:
            self.queue.wake((metadata["namespace"], owner["name"]))

    async def _work(self, key: Key) -> None:
        current_service.set("/".join(key))
        outcome = await reconcile(self.world, key)
        if outcome is None:
            self.queue.forget(key)
            return
        if isinstance(outcome, Wait) and outcome.reason not in {
            "Contested",
            "NamespaceTerminating",
        }:
            self.queue.retry(key, at_least=outcome.after)
            logger.info("waiting: %s: %s", outcome.reason, outcome.say)
            return
        self.queue.succeeded(key)
        self.queue.wake(key, after=again(self.world, key, outcome))

    async def list_all(self) -> None:
        """Read every list and wake what it shows to be new, changed or gone.

        Raises:
            ClusterError: a list could not be read.
        """
        for namespace in self.world.settings.watch_namespaces or (None,):
            for kind in (*CHILDREN, WAKALASERVICE):
                labels = None if kind == WAKALASERVICE else f"{LABEL_MANAGED_BY}={MANAGED_BY}"
                found = await self.world.cluster.list(kind, namespace, labels=labels)
                for obj in self.world.store.listed(
                    kind, namespace, found.items, found.resource_version
                ):
                    self._wake(kind, obj)
        self.listed = True

    async def keep_listing(self) -> None:
        """Correct the picture now and then: soon after the start, then ever more seldom."""
        wait = SETTLING
        while True:
            await asyncio.sleep(wait * random.uniform(0.9, 1.1))  # noqa: S311 - jitter
            wait = min(wait * 2, self.world.settings.resync_seconds)
            with suppress(ClusterError):
                await self.list_all()


async def _first_lists(operator: Operator) -> None:
    """The first lists, waited for: the CRD may come after us, and the API server may be away."""
    said = ""
    while True:
        try:
            await operator.list_all()
        except NotFound:
            why = "the CRD of WakalaService is not installed yet"
        except Forbidden as error:
            why = f"the operator may not read what it must: {error}"
        except ClusterError as error:
            why = str(error)
        else:
            return
        if why != said:
            logger.warning("waiting: %s", why)
            said = why
        await asyncio.sleep(CRD_PATIENCE)


async def run(settings: Settings, cluster: Cluster, stop: asyncio.Event, login: Any) -> None:
    """Run until `stop` is set.

    Args:
        settings: of this installation.
        cluster: where to write.
        stop: set by the signal handlers.
        login: a kopf login handler, for the watches.
    """
    operator = Operator(World(cluster, settings))
    async with serve(settings.health_host, settings.health_port, lambda: operator.listed):
        if not await _before(_first_lists(operator), stop):
            return
        async with operator.queue.working(), _alongside(operator.keep_listing()):
            registry = watch.registry(operator.saw)
            kopf.on.login(registry=registry, id="login")(login)
            await kopf.operator(
                registry=registry,
                settings=_kopf_settings(),
                standalone=True,
                clusterwide=not settings.watch_namespaces,
                namespaces=list(settings.watch_namespaces),
                stop_flag=stop,
            )


def _kopf_settings() -> kopf.OperatorSettings:
    """Let kopf watch and do nothing else: no peering, no scanning, no Events of its own."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.watching.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 360
    settings.networking.request_timeout = 30
    watch.selectors(settings)
    return settings


async def _before(work: Any, stop: asyncio.Event) -> bool:
    """Whether `work` was done before `stop` was set."""
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    done, waiting = await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for one in waiting:
        one.cancel()
    if task in done:
        task.result()
    return task in done


@asynccontextmanager
async def _alongside(work: Any) -> AsyncIterator[None]:
    """Run `work` while the body does."""
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
