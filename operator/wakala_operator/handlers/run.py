"""The running operator: kopf's watches wake the queue, the queue's workers make passes, lists correct the picture."""

import asyncio
import logging
import math
import random
import signal
import time
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any

from wakala_api.names import LABEL_MANAGED_BY, MANAGED_BY
from wakala_operator import metrics
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.connection import own_namespace
from wakala_operator.cluster.errors import ClusterError, Forbidden, NotFound
from wakala_operator.cluster.lease import Claim, Election, lead
from wakala_operator.handlers.watch import watch
from wakala_operator.health import serve
from wakala_operator.judge.outcome import Done, Wait
from wakala_operator.judge.plan import controller_of
from wakala_operator.kinds import CHILDREN, WAKALASERVICE, Kind
from wakala_operator.logging import current_service
from wakala_operator.reconcile.queue import Queue
from wakala_operator.reconcile.service import again, reconcile
from wakala_operator.reconcile.world import Key, World
from wakala_operator.settings import Settings

__all__ = ["run"]

logger = logging.getLogger(__name__)
PATIENT = frozenset({"Contested", "NamespaceTerminating"})
"""Reasons to wait that are no failures: the time is given, and does not grow."""
CRD_PATIENCE = 2.0
"""Seconds between two looks for the CRD, where the operator was there first."""
TOGETHER = 0.1
"""Seconds that a change of a child waits for others: a rollout has many, and one pass and one status do for all."""
FIRST_LOOK = 2.0
"""Seconds after watches were begun anew when the lists are read: a deletion in between is told by no watch."""
SETTLING = 10.0
"""Seconds after the start when the lists are read again: the watches begin later than the first lists."""


class Operator:
    """One process: its world, its queue, and how they wake each other."""

    def __init__(self, world: World) -> None:
        """Nothing runs yet."""
        self.world = world
        self.queue: Queue[Key] = Queue(self._work, workers=world.settings.workers)
        self.listed = False
        self.watched_anew = asyncio.Event()

    def saw(self, kind: Kind, event: str | None, obj: dict[str, Any]) -> None:
        """Take in one watch event and wake the service it belongs to."""
        metrics.heard(kind.kind, 1)
        if self.world.store.saw(kind, event, obj):
            self._wake(kind, obj)

    def _wake(self, kind: Kind, obj: dict[str, Any]) -> None:
        metadata = obj["metadata"]
        if kind == WAKALASERVICE:
            self.queue.wake((metadata["namespace"], metadata["name"]))
        elif (owner := controller_of(obj)) is not None and owner.get("kind") == WAKALASERVICE.kind:
            self.queue.wake((metadata["namespace"], owner["name"]), after=TOGETHER)

    async def _work(self, key: Key) -> None:
        current_service.set("/".join(key))
        began, outcome, reason = time.monotonic(), "failed", ""
        try:
            outcome, reason = await self._pass(key)
        finally:
            metrics.passed(outcome, reason, time.monotonic() - began)

    async def _pass(self, key: Key) -> tuple[str, str]:
        """One pass and when the next one comes; how it ended, for the metrics."""
        outcome = await reconcile(self.world, key)
        if outcome is None:
            self.queue.forget(key)
            return "gone", ""
        if isinstance(outcome, Wait) and outcome.reason not in PATIENT:
            self.queue.retry(key, at_least=outcome.after)
            logger.info("waiting: %s: %s", outcome.reason, outcome.say)
            return "wait", outcome.reason
        self.queue.succeeded(key)
        self.queue.wake(key, after=again(self.world, key, outcome))
        reason = "" if isinstance(outcome, Done) else outcome.reason
        return type(outcome).__name__.lower(), reason

    async def lead(self) -> None:
        """Look at every service once, and then at whatever changes, until cancelled.

        What was remembered when this process led before may be wrong by now: another one wrote in between.
        """
        self.world.memories.clear()
        for service in self.services():
            self._wake(WAKALASERVICE, service)
        await self.queue.work()

    def services(self) -> Iterator[dict[str, Any]]:
        """The services of our class, as they were last seen."""
        own = self.world.settings.operator_class
        for service in self.world.store.all(WAKALASERVICE):
            if service["spec"].get("operatorClass", "") == own:
                yield service

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
                metrics.heard(kind.kind, 0)
        self.listed = True

    async def keep_listing(self) -> None:
        """Correct the picture now and then: soon after the watches began (anew), then ever more seldom."""
        wait, said = SETTLING, ""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait * random.uniform(0.9, 1.1)):  # noqa: S311 - jitter
                    await self.watched_anew.wait()
                    self.watched_anew.clear()
                    wait = FIRST_LOOK
                    continue
            try:
                await self.list_all()
            except ClusterError as error:
                wait = SETTLING
                if str(error) != said:
                    said = str(error)
                    logger.warning("the lists can't be read: %s", said)
                continue
            if said:
                logger.info("the lists can be read again")
            said = ""
            wait = min(wait * 2, self.world.settings.resync_seconds)


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


async def run(settings: Settings, cluster: Cluster, claim: Claim) -> None:
    """Run until SIGTERM or SIGINT: watch always, and write while this process leads.

    Args:
        settings: of this installation.
        cluster: where to write; asks `claim` before it does.
        claim: whether this process may write.

    Raises:
        RuntimeError: a part ended although nobody asked it to; the process should end and be started anew.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    operator = Operator(World(cluster, settings))
    _measure(operator, claim)
    pages = (settings.health_host, settings.health_port, lambda: operator.listed)
    async with serve(*pages, profiling=settings.profiling):
        await _before(_everything(operator, claim), stop)


async def _everything(operator: Operator, claim: Claim) -> None:
    """Watch, list, and lead while we may; all of it ends when a part does."""
    world = operator.world
    await _first_lists(operator)
    watching = watch(
        world.cluster,
        world.settings.watch_namespaces,
        operator.saw,
        anew=operator.watched_anew.set,
    )
    async with asyncio.TaskGroup() as parts:
        parts.create_task(watching, name="watches")
        parts.create_task(operator.keep_listing(), name="lists")
        parts.create_task(_lead(operator, claim), name="leader")


async def _lead(operator: Operator, claim: Claim) -> None:
    """Write while the Lease is ours; always, where there is none."""
    settings = operator.world.settings
    if not settings.lease:
        claim.until = math.inf
        await operator.lead()
        return
    where = settings.lease_namespace or own_namespace()
    election = Election(operator.world.cluster, where, settings.lease, claim)
    await lead(election, operator.lead)


def _measure(operator: Operator, claim: Claim) -> None:
    """Tie what is measured when somebody asks to where it stands."""
    metrics.LEADER.set_function(lambda: int(claim.holds()))
    metrics.QUEUE_DEPTH.set_function(operator.queue.due)
    metrics.QUEUE_AGE.set_function(operator.queue.oldest)
    metrics.watch_services(lambda: operator.services() if claim.holds() else ())


async def _before(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Run `work` until `stop` is set, and wait until it has ended."""
    task, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
