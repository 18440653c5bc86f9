"""Everything a service is made of, as a list of builders: read this first."""

from collections.abc import Callable
from typing import Final

from wakala_operator.build.autoscaler import autoscaler
from wakala_operator.build.context import Build, Object
from wakala_operator.build.deployment import deployment
from wakala_operator.build.disruption_budget import disruption_budget
from wakala_operator.build.network_policy import network_policy
from wakala_operator.build.pod import pod_template
from wakala_operator.build.references import Reference, references
from wakala_operator.build.runtime import config_map, config_map_name
from wakala_operator.build.service import service
from wakala_operator.build.service_account import service_account

__all__ = ["desired", "referred"]

BUILDERS: Final[tuple[Callable[[Build], Object | None], ...]] = (
    service_account,
    config_map,
    network_policy,
    service,
    deployment,
    disruption_budget,
    autoscaler,
)
"""In the order of writing: what pods need and what guards them stands before the pods."""


def desired(build: Build) -> list[Object]:
    """The objects the service asks for, complete but for what the API server fills in.

    Raises:
        Refused: the spec asks for something that is never made.
    """
    return [obj for builder in BUILDERS if (obj := builder(build)) is not None]


def referred(build: Build) -> tuple[Reference, ...]:
    """The Secrets and ConfigMaps whose change rolls the pods out.

    Raises:
        Refused: as `desired`.
    """
    return references(pod_template(build), own=config_map_name(build))
