"""Environment variables and the Secrets and ConfigMaps they come from.

An entry of `env` replaces the guide's variable of the same name. References have no namespace: a service reads what
lies beside it and nothing else. A change of what is referred to rolls out by itself.
"""

from typing import Annotated, Literal

from pydantic import Field

from wakala_api.base import Model, Rule, text
from wakala_api.names import DNS_NAME

__all__ = [
    "ConfigMapKey",
    "EnvFrom",
    "EnvVar",
    "FieldReference",
    "LocalName",
    "ObjectKey",
    "ObjectName",
    "OptionalName",
    "ResourceReference",
    "SecretKey",
    "ValueFrom",
]

ObjectName = Annotated[str, text(pattern=rf"^{DNS_NAME}$", most=253)]
"""Name of a Secret or ConfigMap in the service's namespace."""
ObjectKey = Annotated[str, text(pattern=r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$", most=253)]
"""Name of an entry in a Secret or ConfigMap."""


class LocalName(Model):
    """An object of the service's own namespace, by name."""

    name: ObjectName
    """Its name."""


class SecretKey(Model):
    """One entry of a Secret."""

    name: ObjectName
    """The Secret's name."""
    key: ObjectKey
    """The entry's name."""
    optional: bool = False
    """true: a missing Secret or entry leaves the variable unset. false: the pod waits for it."""


class ConfigMapKey(Model):
    """One entry of a ConfigMap."""

    name: ObjectName
    """The ConfigMap's name."""
    key: ObjectKey
    """The entry's name."""
    optional: bool = False
    """true: a missing ConfigMap or entry leaves the variable unset. false: the pod waits for it."""


class FieldReference(Model):
    """A fact about the pod itself."""

    field_path: Literal[
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "spec.nodeName",
        "spec.serviceAccountName",
        "status.hostIP",
        "status.podIP",
    ]
    """Which fact, in Kubernetes' own words."""


class ResourceReference(Model):
    """A request or limit of the service's own container."""

    resource: Literal[
        "limits.cpu",
        "limits.memory",
        "limits.ephemeral-storage",
        "requests.cpu",
        "requests.memory",
        "requests.ephemeral-storage",
    ]
    """Which one; CPU is rounded up to whole cores, the others are in bytes."""


class ValueFrom(Model):
    """Where a variable's value is read from: exactly one of the four."""

    constraints = (
        Rule(
            cel="[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef), "
            "has(self.resourceFieldRef)].filter(given, given).size() == 1",
            holds=lambda source: (
                sum(
                    given is not None
                    for given in (
                        source.secret_key_ref,
                        source.config_map_key_ref,
                        source.field_ref,
                        source.resource_field_ref,
                    )
                )
                == 1
            ),
            message="valueFrom wants exactly one of secretKeyRef, configMapKeyRef, fieldRef, resourceFieldRef",
        ),
    )

    secret_key_ref: SecretKey | None = None
    """An entry of a Secret."""
    config_map_key_ref: ConfigMapKey | None = None
    """An entry of a ConfigMap."""
    field_ref: FieldReference | None = None
    """A fact about the pod."""
    resource_field_ref: ResourceReference | None = None
    """A request or limit of the container."""


class EnvVar(Model):
    """One environment variable; it replaces the guide's of the same name."""

    constraints = (
        Rule(
            cel="!(has(self.value) && has(self.valueFrom))",
            holds=lambda variable: not (variable.value is not None and variable.value_from),
            message="an env entry wants value or valueFrom, not both",
        ),
    )

    name: Annotated[str, text(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", most=253)]
    """The variable's name."""
    value: Annotated[str, Field(max_length=8192)] | None = None
    """Its value as plain text; `$(OTHER)` is replaced by an earlier variable. Neither this nor valueFrom: empty."""
    value_from: ValueFrom | None = None
    """Where its value is read from."""


class OptionalName(Model):
    """A Secret or ConfigMap whose entries all become variables."""

    name: ObjectName
    """Its name."""
    optional: bool = False
    """true: a missing object adds nothing. false: the pod waits for it."""


class EnvFrom(Model):
    """All entries of one Secret or ConfigMap as variables."""

    constraints = (
        Rule(
            cel="has(self.secretRef) != has(self.configMapRef)",
            holds=lambda source: (source.secret_ref is None) != (source.config_map_ref is None),
            message="an envFrom entry wants exactly one of secretRef and configMapRef",
        ),
    )

    prefix: Annotated[str, text(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", most=100)] | None = None
    """Text put before each entry's name."""
    secret_ref: OptionalName | None = None
    """The Secret."""
    config_map_ref: OptionalName | None = None
    """The ConfigMap."""
