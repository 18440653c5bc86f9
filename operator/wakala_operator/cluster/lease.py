"""Which of several operators may write: the holder of one Lease, and only while it is sure of that.

A clock on the wall may jump and machines differ, so that nobody's time is believed: who waits counts from the moment
it saw the Lease change, and who holds counts from the moment it sent its last renewal. The holder stops being sure
before anybody else may take over, and every write asks right before it is sent (`client.connected`). That counts also
for a process that was stopped and wakes up: it finds its claim run out before it sends anything.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import AlreadyThere, ClusterError, Conflict, NotFound
from wakala_operator.kinds import LEASE

__all__ = ["Claim", "Election", "Lost", "clock", "lead"]

logger = logging.getLogger(__name__)

DURATION = 10
"""Seconds without a renewal after which another process takes over."""
SURE = 7.0
"""Seconds after its last renewal was sent in which the holder writes; the rest is for what is on its way."""
REQUEST = 3.0
"""Seconds a request for the Lease may take; below SURE, so that a lost request does not lose the Lease."""
RENEW = 2.0
"""Seconds between two renewals."""
LOOK = 1.0
"""Seconds between two looks of a process that waits."""


class Lost(Exception):
    """The Lease is somebody else's, or could not be renewed in time."""


def clock() -> float:
    """Seconds that also pass while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Claim:
    """Until when this process may write."""

    identity: str
    """Who this process is; another one for each process, also for the next one in the same pod."""
    until: float = 0.0
    """A moment of `clock`; 0: not at all, infinity: always, as where there is no election."""

    def holds(self) -> bool:
        """Whether it may write now."""
        return clock() < self.until


@dataclass(slots=True)
class _Sight:
    """A Lease of somebody else's as it was seen, and since when it is so."""

    version: str = ""
    since: float = 0.0


@dataclass(slots=True)
class Election:
    """One process's part in the election."""

    cluster: Cluster
    namespace: str
    """Where the Lease is."""
    name: str
    """The Lease's name; services of one class share one."""
    claim: Claim
    """Whether we may write, and who we are."""
    _sight: _Sight = field(default_factory=_Sight)
    _held: dict[str, Any] = field(default_factory=dict)

    async def acquire(self) -> None:
        """Wait until the Lease is ours."""
        while not await self._try():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(LOOK)
        logger.info("this process leads: it holds Lease %s/%s", self.namespace, self.name)

    async def keep(self) -> None:
        """Renew the Lease as long as that works.

        Raises:
            Lost: somebody else took it, or no renewal came through while we were sure.
        """
        while True:
            await asyncio.sleep(RENEW)
            sent = clock()
            try:
                await self._write(self._held, acquired=self._held["spec"]["acquireTime"])
            except (Conflict, NotFound):
                if not await self._still_ours():
                    raise Lost("another process holds the Lease") from None
            except (ClusterError, TimeoutError) as error:
                if clock() >= self.claim.until:
                    raise Lost(f"it could not be renewed in time: {error}") from None
            else:
                self.claim.until = sent + SURE

    async def release(self) -> None:
        """Give the Lease back, so that the next one need not wait; a failure to do so is the next one's wait."""
        held = self.claim.holds()
        self.claim.until = 0.0
        if held:
            with suppress(ClusterError, TimeoutError):
                since = self._held["spec"]["acquireTime"]
                await self._write(self._held, holder="", acquired=since)

    async def _try(self) -> bool:
        """One look; whether the Lease is ours now."""
        sent = clock()
        try:
            lease = await self._read()
            if lease is not None and not self._free(lease):
                return False
            await self._write(lease, acquired=_now())
        except (Conflict, AlreadyThere):
            return False  # somebody was faster
        except (ClusterError, TimeoutError) as error:
            logger.debug("the Lease can't be asked for: %s", error)
            return False
        self.claim.until = sent + SURE
        return True

    def _free(self, lease: dict[str, Any]) -> bool:
        """Whether nobody holds it, or its holder has not renewed it for as long as it promised to, while we watched."""
        spec, version = lease.get("spec") or {}, lease["metadata"]["resourceVersion"]
        if spec.get("holderIdentity") in ("", None, self.claim.identity):
            return True
        if version != self._sight.version:
            self._sight = _Sight(version, clock())
        return clock() - self._sight.since > (spec.get("leaseDurationSeconds") or DURATION)

    async def _still_ours(self) -> bool:
        """After a write that did not fit the version: read the Lease anew; a lost answer may have been ours."""
        try:
            lease = await self._read()
        except (ClusterError, TimeoutError):
            return self.claim.holds()
        if lease is None or (lease.get("spec") or {}).get("holderIdentity") != self.claim.identity:
            return False
        self._held = lease
        return True

    async def _read(self) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(REQUEST):
                return await self.cluster.get(LEASE, self.namespace, self.name)
        except NotFound:
            return None

    async def _write(
        self, lease: dict[str, Any] | None, *, acquired: str, holder: str | None = None
    ) -> None:
        """Write the Lease on top of the version that was seen, or make it."""
        old = (lease or {}).get("spec") or {}
        changes = int(old.get("leaseTransitions") or 0)
        spec = {
            "holderIdentity": self.claim.identity if holder is None else holder,
            "leaseDurationSeconds": DURATION,
            "acquireTime": acquired,
            "renewTime": _now(),
            "leaseTransitions": changes + (old.get("acquireTime") != acquired and bool(old)),
        }
        metadata = {"name": self.name, "namespace": self.namespace}
        if lease is not None:
            metadata["resourceVersion"] = lease["metadata"]["resourceVersion"]
        wanted = {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata}
        write = self.cluster.create if lease is None else self.cluster.replace
        async with asyncio.timeout(REQUEST):
            self._held = await write(LEASE, wanted | {"spec": spec})


async def lead(election: Election, work: Callable[[], Awaitable[None]]) -> None:
    """Wait for the Lease and work while it is ours, again and again; it is given back in the end.

    Renewing and working live and die together: a process whose work has died must not keep others from working, and one
    whose renewals have died must not go on.

    Args:
        election: for which Lease, as whom.
        work: runs until it is cancelled.
    """
    while True:
        await election.acquire()
        try:
            async with asyncio.TaskGroup() as together:
                together.create_task(election.keep(), name="renewer")
                together.create_task(_endless(work()), name="writer")
        except* Lost as lost:
            logger.warning("this process leads no longer: %s", lost.exceptions[0])
        finally:
            await asyncio.shield(election.release())


async def _endless(work: Awaitable[None]) -> None:
    await work
    raise RuntimeError("the work ended although nobody asked it to")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
