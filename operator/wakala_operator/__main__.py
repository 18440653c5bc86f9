"""`wakala-operator`: read the settings, connect, run until told to stop."""

import asyncio
import logging
import socket
import sys
import uuid

from kubernetes.aio.config import ConfigException
from pydantic import ValidationError

from wakala_operator import metrics
from wakala_operator.cluster.connection import connected
from wakala_operator.cluster.lease import Claim
from wakala_operator.handlers.run import run
from wakala_operator.logging import set_up
from wakala_operator.settings import Settings

__all__ = ["main"]

logger = logging.getLogger("wakala_operator")
NESTING = 50_000
"""Python's recursion limit. The API server takes objects nested 10,000 deep (tried), and a free map such as
podTemplatePatch may be so: with Python's usual 1,000, one such service would end the watch for all."""


def main() -> int:
    """Run the operator; 2 for settings that make no sense, 1 where there is no cluster."""
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors():
            name = "WAKALA_" + "_".join(str(part) for part in detail["loc"]).upper()
            sys.stderr.write(f"wakala-operator: {name}: {detail['msg']}\n")
        return 2
    set_up(settings.log_format, settings.log_level)
    sys.setrecursionlimit(NESTING)
    try:
        asyncio.run(_run(settings))
    except ConfigException as error:
        sys.stderr.write(f"wakala-operator: no cluster to work on: {error}\n")
        return 1
    return 0


async def _run(settings: Settings) -> None:
    claim = Claim(identity=f"{socket.gethostname()}_{uuid.uuid4().hex[:12]}")
    async with connected(
        settings.kubeconfig,
        identity=claim.identity,
        may_write=claim.holds,
        asked=metrics.asked,
    ) as cluster:
        await run(settings, cluster, claim)


if __name__ == "__main__":
    sys.exit(main())
