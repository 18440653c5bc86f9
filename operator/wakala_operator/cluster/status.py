"""The one place that writes a service's status: one patch a pass, and only if something changed."""

from typing import Any

from wakala_operator.cluster.client import Cluster
from wakala_operator.kinds import WAKALASERVICE

__all__ = ["write_status"]


async def write_status(
    cluster: Cluster, service: dict[str, Any], status: dict[str, Any]
) -> dict[str, Any] | None:
    """Write `status` if it is not what the service has; the service afterwards, or None when nothing was written.

    Raises:
        Conflict: the service was deleted and made anew.
        NotFound: it is gone.
    """
    if service.get("status", {}) == status:
        return None
    return await cluster.put_status(WAKALASERVICE, service["metadata"], status)
