"""Who is looked at when."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest

from wakala_operator.reconcile.queue import LONGEST_WAIT, Queue


class Work:
    """Remembers what was worked on, and how much at once."""

    def __init__(self, takes=0.0):
        self.done = []
        self.running = {}
        self.most = 0
        self.takes = takes
        self.overlaps = 0
        self.changed = asyncio.Event()

    async def __call__(self, key):
        self.overlaps += key in self.running
        self.running[key] = True
        self.most = max(self.most, len(self.running))
        await asyncio.sleep(self.takes)
        self.done.append(key)
        self.running.pop(key, None)
        self.changed.set()


@asynccontextmanager
async def working(queue):
    """Work while the body runs."""
    task = asyncio.create_task(queue.work())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def done(work, count):
    async with asyncio.timeout(5):
        while len(work.done) < count:
            work.changed.clear()
            await work.changed.wait()


async def test_a_key_that_is_woken_often_is_worked_on_once():
    work = Work()
    queue = Queue(work, workers=2)
    for _ in range(10):
        queue.wake("a")
    async with working(queue):
        await done(work, 1)
        await asyncio.sleep(0.05)
    assert work.done == ["a"]


async def test_the_earliest_wake_counts():
    work = Work()
    queue = Queue(work, workers=1)
    async with working(queue):
        queue.wake("a", after=60)
        queue.wake("b", after=0.05)
        queue.wake("a", after=0.1)
        queue.wake("a", after=30)
        await done(work, 2)
    assert work.done == ["b", "a"]
    assert len(queue) == 0


async def test_a_wake_during_the_work_has_it_done_once_more_and_never_twice_at_once():
    work = Work(takes=0.05)
    queue = Queue(work, workers=4)
    async with working(queue):
        queue.wake("a")
        await asyncio.sleep(0.01)
        for _ in range(5):
            queue.wake("a")
        await done(work, 2)
        await asyncio.sleep(0.1)
    assert work.done == ["a", "a"]
    assert work.overlaps == 0


async def test_a_key_that_is_worked_on_holds_up_no_other():
    work = Work(takes=0.05)
    queue = Queue(work, workers=2)
    async with working(queue):
        queue.wake("slow")
        await asyncio.sleep(0.01)
        queue.wake("slow")
        queue.wake("b")
        await done(work, 1)
        assert "b" in work.running or "b" in work.done
        await done(work, 3)
    assert sorted(work.done) == ["b", "slow", "slow"]


async def test_no_more_at_once_than_there_are_workers():
    work = Work(takes=0.01)
    queue = Queue(work, workers=3)
    for key in range(30):
        queue.wake(key)
    async with working(queue):
        await done(work, 30)
    assert work.most == 3
    assert sorted(work.done) == list(range(30))


async def test_each_failure_waits_longer_up_to_a_limit_and_a_success_begins_anew():
    queue = Queue(Work(), workers=1)
    now = asyncio.get_running_loop().time

    def wait():
        queue._due.clear()
        queue.retry("a")
        return queue._due["a"] - now()

    waits = [wait() for _ in range(30)]
    for number, seconds in enumerate(waits):
        bare = min(0.5 * 2**number, LONGEST_WAIT)
        assert bare * 0.99 <= seconds <= bare * 1.5
    assert len(set(waits[-10:])) > 1, (
        "many services that failed together must not come back together"
    )
    queue.succeeded("a")
    assert wait() <= 0.75


async def test_a_retry_waits_at_least_as_long_as_the_server_asks():
    queue = Queue(Work(), workers=1)
    queue.retry("a", at_least=20)
    assert queue._due["a"] - asyncio.get_running_loop().time() > 19


async def test_what_is_forgotten_is_not_worked_on_until_it_is_woken():
    work = Work()
    queue = Queue(work, workers=1)
    queue.wake("a", after=0.02)
    queue.forget("a")
    async with working(queue):
        await asyncio.sleep(0.06)
        assert work.done == []
        queue.wake("a")
        await done(work, 1)


async def test_a_fault_in_one_key_ends_no_worker_and_is_tried_again(caplog):
    calls = []
    again = asyncio.Event()

    async def work(key):
        calls.append(key)
        if calls.count("bad") == 2:
            again.set()
        elif key == "bad":
            raise RuntimeError("on purpose")

    queue = Queue(work, workers=1)
    async with working(queue), asyncio.timeout(5):
        queue.wake("bad")
        queue.wake("good")
        await again.wait()
    assert calls == ["bad", "good", "bad"]
    assert "on purpose" in caplog.text


async def test_the_end_cancels_what_runs_and_leaves_no_task():
    cancelled = []

    async def work(key):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(key)
            raise

    queue = Queue(work, workers=3)
    async with working(queue):
        queue.wake("a")
        await asyncio.sleep(0.02)
    assert cancelled == ["a"]
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_the_end_of_the_body_by_an_error_ends_the_workers_too():
    queue = Queue(Work(), workers=3)
    with pytest.raises(ZeroDivisionError):
        async with working(queue):
            raise ZeroDivisionError
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_waits_is_counted_with_its_age():
    queue = Queue(Work(), workers=1)
    assert (queue.due(), queue.oldest()) == (0, 0)
    queue.wake("later", after=60)
    assert (queue.due(), queue.oldest()) == (0, 0)
    queue.wake("a")
    queue.wake("b")
    await asyncio.sleep(0.05)
    assert queue.due() == 2
    assert queue.oldest() >= 0.05


@pytest.mark.parametrize("_", range(20))
async def test_an_end_while_everything_happens_is_an_end(_):
    """A cancellation that comes together with news must not be lost: the process would never stop."""

    async def work(key):
        try:
            await asyncio.sleep(0.001)
        finally:
            queue.wake(key)

    queue = Queue(work, workers=16)
    async with asyncio.timeout(5):
        async with working(queue):
            for key in range(40):
                queue.wake(key)
            await asyncio.sleep(0.02)
