"""Which service is looked at when: one entry for each, never twice at once, waited for with patience.

Waking a service that waits brings it forward; waking one that is being looked at has it looked at once more. A service that
fails waits longer each time, on its own; it delays nobody else.
"""

import asyncio
import heapq
import itertools
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Queue"]

FIRST_WAIT = 0.5
LONGEST_WAIT = 300.0
"""Seconds after the first failure, and the longest; doubled in between, with up to half of it at random on top."""

Key = TypeVar("Key")
logger = logging.getLogger(__name__)


class Queue(Generic[Key]):
    """Keys and the times they are due, worked off by a fixed number of workers."""

    def __init__(self, work: Callable[[Key], Awaitable[None]], *, workers: int) -> None:
        """Call `work` for each due key, at most `workers` at once."""
        self._work = work
        self._workers = workers
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._order = itertools.count()
        self._running: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many keys wait."""
        return len(self._due)

    def oldest(self) -> float:
        """Seconds for which the key that waits longest has been due; 0 when none is."""
        return max(_now() - min(self._due.values(), default=_now()), 0.0)

    def due(self) -> int:
        """How many keys are due and wait for a worker."""
        now = _now()
        return sum(due <= now for due in self._due.values())

    def wake(self, key: Key, after: float = 0.0) -> None:
        """Have `key` looked at in `after` seconds, or earlier if it is due earlier."""
        due = _now() + after
        if self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._order), key))
        self._changed.set()

    def retry(self, key: Key, at_least: float = 0.0) -> None:
        """Have `key` looked at again after a failure, later each time."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        wait = min(FIRST_WAIT * 2 ** min(failures, 20), LONGEST_WAIT)
        self.wake(key, max(wait * random.uniform(1, 1.5), at_least))  # noqa: S311 - jitter

    def succeeded(self, key: Key) -> None:
        """Forget the failures of `key`."""
        self._failures.pop(key, None)

    def forget(self, key: Key) -> None:
        """Forget `key` altogether; a wake brings it back."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    async def work(self) -> None:
        """Work until cancelled; running work is cancelled with it."""
        async with asyncio.TaskGroup() as workers:
            for number in range(self._workers):
                workers.create_task(self._worker(), name=f"worker-{number}")

    async def _worker(self) -> None:
        while True:
            key = await self._next()
            self._running.add(key)
            try:
                await self._work(key)
            except asyncio.CancelledError:
                raise
            except Exception:
                # A fault of ours in one service must not end the worker that serves all others.
                logger.exception(
                    "a pass failed in a way that nobody foresaw; it will be tried again"
                )
                self.retry(key)
            finally:
                self._running.discard(key)
                self._changed.set()

    async def _next(self) -> Key:
        """The first key that is due and not being looked at, once there is one."""
        while True:
            self._changed.clear()
            wait = None
            for due, _, key in self._ready():
                if due <= _now():
                    del self._due[key]
                    return key
                wait = due - _now()
                break
            # Not wait_for: on Python 3.11 it swallows a cancellation that comes as the event is set, and never ends.
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    def _ready(self) -> list[tuple[float, int, Key]]:
        """The first entry that still holds and whose key is free; keys that are being looked at wait aside."""
        aside = []
        found = []
        while self._heap:
            entry = heapq.heappop(self._heap)
            due, _, key = entry
            if self._due.get(key) != due:
                continue  # superseded by an earlier time, or forgotten
            aside.append(entry)
            if key not in self._running:
                found.append(entry)
                break
        for entry in aside:
            heapq.heappush(self._heap, entry)
        return found


def _now() -> float:
    return asyncio.get_running_loop().time()
