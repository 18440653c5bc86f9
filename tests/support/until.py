"""Wait for a fact about the world, with a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(ask: Callable[[], Answer], *, within: float = 15.0, every: float = 0.05) -> Answer:
    """The first true answer of `ask`.

    Raises:
        AssertionError: there was none within so many seconds; shows the last one.
    """
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; the last answer was {answer!r}")
        time.sleep(every)
