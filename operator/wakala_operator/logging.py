"""Log lines that say which service they are about, as text for people or JSON for machines.

The key of the service that is being reconciled travels in a context variable, so that no call has to pass it on and no
line can forget it.
"""

import logging
from contextvars import ContextVar
from typing import Literal

from pythonjsonlogger.json import JsonFormatter

__all__ = ["current_service", "set_up"]

current_service: ContextVar[str] = ContextVar("current_service", default="-")
"""`namespace/name` of the service this task works on; `-` outside a pass."""


class _Key(logging.Filter):
    """Puts the service's key on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.service = current_service.get()
        return True


def set_up(form: Literal["text", "json"], level: str) -> None:
    """Send all log lines to standard error in the given form, replacing what was set up before."""
    handler = logging.StreamHandler()
    handler.addFilter(_Key())
    if form == "json":
        handler.setFormatter(
            JsonFormatter(
                "%(levelname)s %(name)s %(service)s %(message)s",
                rename_fields={"levelname": "level", "name": "logger"},
                timestamp="time",
            )
        )
    else:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s [%(service)s] %(name)s: %(message)s")
        )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # kopf repeats each watch event at INFO and below; what happened to a service is said by ours.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLevelName(level)))
    # Nor each try of each watch to reach the API server: our lists say once that it is away, and once that it is back.
    logging.getLogger("kopf._cogs.clients").setLevel(logging.CRITICAL)
    # What ends its watches is said by ours, which begin them anew.
    logging.getLogger("kopf._core.reactor").setLevel(logging.CRITICAL)
