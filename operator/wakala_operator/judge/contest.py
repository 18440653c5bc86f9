"""Who keeps changing what we put right? A fight is noticed and slowed down, not won by speed.

Five corrections of the same field in ten minutes make it contested; from then on it is put right once a minute.
"""

from dataclasses import dataclass, field

__all__ = ["Contest", "contested_until", "corrected"]

WINDOW = 600.0
ROUNDS = 5
PAUSE = 60.0
MOST_FIELDS = 64


@dataclass(frozen=True, slots=True)
class Contest:
    """When each field was put right lately, by `kind/name path`; seconds of a monotonic clock."""

    corrections: dict[str, tuple[float, ...]] = field(default_factory=dict)


def corrected(contest: Contest, what: str, now: float) -> Contest:
    """The history with one more correction, without what is too old to matter."""
    recent = {
        name: kept
        for name, times in contest.corrections.items()
        if (kept := tuple(time for time in times if now - time < WINDOW))
    }
    times = (*recent.pop(what, ()), now)[-ROUNDS:]
    newest = dict(list(recent.items())[-(MOST_FIELDS - 1) :])
    return Contest({**newest, what: times})


def contested_until(contest: Contest, what: str, now: float) -> float | None:
    """When this field may be put right again; None: at once."""
    times = [time for time in contest.corrections.get(what, ()) if now - time < WINDOW]
    if len(times) < ROUNDS:
        return None
    again = times[-1] + PAUSE
    return again if again > now else None
