"""Everything a service is made of, as a list of builders: read this first."""

from collections.abc import Callable, Sequence
from typing import Final

from wakala_api.names import ANNOTATION_REFERENCES
from wakala_operator.build.autoscaler import autoscaler
from wakala_operator.build.context import Build, Object
from wakala_operator.build.deployment import deployment
from wakala_operator.build.disruption_budget import disruption_budget
from wakala_operator.build.network_policy import network_policy
from wakala_operator.build.references import Reference, references
from wakala_operator.build.runtime import config_map
from wakala_operator.build.service import service
from wakala_operator.build.service_account import service_account

__all__ = ["desired", "referred", "with_references"]

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


def referred(objects: Sequence[Object]) -> tuple[Reference, ...]:
    """The Secrets and ConfigMaps whose change rolls the pods out: what the pods of `desired` objects read, but our own."""
    own = {obj["metadata"]["name"] for obj in objects if obj["kind"] == "ConfigMap"}
    templates = [obj["spec"]["template"] for obj in objects if obj["kind"] == "Deployment"]
    return tuple(
        reference
        for template in templates
        for reference in references(template)
        if not (reference.kind == "ConfigMap" and reference.name in own)
    )


def with_references(objects: Sequence[Object], digest: str) -> list[Object]:
    """The `desired` objects with the digest of what their pods read in the template: another digest, other pods."""
    return [
        _marked(obj, digest) if digest and obj["kind"] == "Deployment" else obj for obj in objects
    ]


def _marked(deployment: Object, digest: str) -> Object:
    template = deployment["spec"]["template"]
    annotations = template["metadata"]["annotations"] | {ANNOTATION_REFERENCES: digest}
    marked = template | {"metadata": template["metadata"] | {"annotations": annotations}}
    return deployment | {"spec": deployment["spec"] | {"template": marked}}
