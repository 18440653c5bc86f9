"""The one place that writes a service's status: one patch a pass, and only if something changed."""

from typing import Any

from wakala_operator.cluster.client import Cluster
from wakala_operator.kinds import WAKALASERVICE

__all__ = ["write_status"]


async def write_status(
    cluster: Cluster, service: dict[str, Any], status: dict[str, Any]
) -> dict[str, Any] | None:
    """Write `status` if it is not what the service has; the service afterwards, or None when nothing was written.

    Fields that are there and not in `status` are removed.

    Raises:
        Conflict: the service was deleted and made anew.
        NotFound: it is gone.
    """
    seen = service.get("status", {})
    if seen == status:
        return None
    gone = {name: None for name in seen if name not in status}
    return await cluster.merge_status(WAKALASERVICE, service["metadata"], {**status, **gone})
