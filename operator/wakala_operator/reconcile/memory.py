"""What one process remembers of a service between two passes. Losing it costs a few reads and no write."""

from dataclasses import dataclass, field

from wakala_operator.build.references import Reference
from wakala_operator.judge.contest import Contest
from wakala_operator.observe.references import Referred

__all__ = ["Memory"]


@dataclass(slots=True)
class Memory:
    """Of one service."""

    contest: Contest = field(default_factory=Contest)
    """Which fields were put right lately."""
    asked: tuple[Reference, ...] = ()
    """The references that `referred` answers."""
    referred: Referred | None = None
    """What the referred Secrets and ConfigMaps were when they were last read."""
    referred_at: float = 0.0
    """When that was; monotonic seconds."""
    quiet: float = 0.0
    """Seconds until the next look at a service that nothing happens to; grows while nothing does."""
