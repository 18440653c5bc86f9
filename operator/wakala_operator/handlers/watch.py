"""The watches: each event goes into the store and wakes the service it belongs to.

Only `on.event` is used, with a selector on the server's side for children. kopf's other handlers would write finalizers
and annotations of their own, also from a process that only stands by (a banned-api rule holds this).
"""

from collections.abc import Callable
from typing import Any

import kopf

from wakala_api.names import LABEL_MANAGED_BY, MANAGED_BY
from wakala_operator.kinds import CHILDREN, WAKALASERVICE, Kind

__all__ = ["Saw", "registry", "selectors"]

Saw = Callable[[Kind, str | None, dict[str, Any]], None]
"""Called with the kind, kopf's event type (None for the first list) and the object."""


def registry(saw: Saw) -> kopf.OperatorRegistry:
    """A kopf registry that reports every event of a service or a child to `saw`."""
    handlers = kopf.OperatorRegistry()
    for kind in (WAKALASERVICE, *CHILDREN):
        _watch(handlers, kind, saw)
    return handlers


def _watch(handlers: kopf.OperatorRegistry, kind: Kind, saw: Saw) -> None:
    async def on_event(event: kopf.RawEvent, **_: Any) -> None:
        saw(kind, event["type"], dict(event["object"]))

    # async although nothing is awaited: a plain function would go through kopf's thread pool (trap T5)
    watched = (kind.group, kind.version, kind.plural)
    kopf.on.event(*watched, registry=handlers, id=f"saw-{kind.plural}")(on_event)


def selectors(settings: kopf.OperatorSettings) -> None:
    """Ask the API server for our children only, not for every Deployment of the cluster."""
    for kind in CHILDREN:
        watched = (kind.group, kind.version, kind.plural)
        settings.watching.label_selectors[watched] = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
