"""What every builder gets, and how one of them says no."""

from dataclasses import dataclass
from typing import Any

from wakala_api.base import printable
from wakala_api.names import (
    API_VERSION,
    KIND,
    LABEL_INSTANCE,
    LABEL_MANAGED_BY,
    LABEL_NAME,
    LABEL_SERVICE,
    MANAGED_BY,
)
from wakala_api.service import WakalaService, WakalaServiceSpec

__all__ = ["Build", "Object", "Refused"]

Object = dict[str, Any]
"""A Kubernetes object as plain data, without status."""


class Refused(Exception):
    """The spec asks for something that is never made; the message is one sentence that says what to do."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(printable(sentence))
        self.reason = reason
        """One CamelCase word for condition Stalled."""


@dataclass(frozen=True, slots=True)
class Build:
    """One service, and what several builders ask of it."""

    service: WakalaService
    """The service, parsed."""

    @property
    def spec(self) -> WakalaServiceSpec:
        """What the team wants."""
        return self.service.spec

    @property
    def name(self) -> str:
        """The service's name, and that of its objects."""
        return self.service.metadata.name

    @property
    def selector(self) -> dict[str, str]:
        """The one label that pods are chosen by; it never changes, as a Deployment's selector can't."""
        return {LABEL_SERVICE: self.name}

    def metadata(self, name: str = "") -> Object:
        """Metadata of a child: named as the service unless said otherwise, and owned by it where it has a UID."""
        service = self.service.metadata
        labels = {
            LABEL_NAME: self.name,
            LABEL_INSTANCE: self.name,
            LABEL_MANAGED_BY: MANAGED_BY,
            **self.selector,
        }
        found: Object = {
            "name": name or self.name,
            "namespace": service.namespace,
            "labels": labels,
        }
        if service.uid:
            owner = {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": self.name,
                "uid": service.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
            found["ownerReferences"] = [owner]
        return found
