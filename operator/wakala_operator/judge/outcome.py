"""How a pass ended: done, wait (with when and why), or stalled (needs a person). Nothing else.

A pass touches several objects; each answers for itself and the worst answer is the pass's.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Done", "Outcome", "Stalled", "Wait", "worst"]


@dataclass(frozen=True, slots=True)
class Done:
    """Everything is as wanted, as far as writing goes."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Something is in the way that passes by itself."""

    after: float
    """Seconds until the next try."""
    reason: str
    """One CamelCase word for the conditions."""
    say: str
    """One sentence for people."""


@dataclass(frozen=True, slots=True)
class Stalled:
    """Something is in the way that a person must remove; trying again changes nothing."""

    reason: str
    """One CamelCase word for the conditions."""
    say: str
    """One sentence for people: what was seen, what was wanted, what to do."""


Outcome = Done | Wait | Stalled


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The answer of a pass: the first that needs a person, else the soonest wait, else done."""
    found = list(outcomes)
    for outcome in found:
        if isinstance(outcome, Stalled):
            return outcome
    waits = [outcome for outcome in found if isinstance(outcome, Wait)]
    return min(waits, key=lambda wait: wait.after) if waits else Done()
