"""Every name the product shares with a cluster: its API group, labels, annotations, field managers.

One table, so that a label in a selector, in a chart and in a document is the same text, and so that a reader who
meets `wakala.com/...` on an object can find here what it means and who writes it.
"""

from typing import Final

__all__ = [
    "ANNOTATION_ACCEPTED",
    "ANNOTATION_ADOPT",
    "ANNOTATION_APPLIED",
    "ANNOTATION_REFERENCES",
    "ANNOTATION_RUNTIME",
    "API_VERSION",
    "CONDITION_DOCS",
    "CONTAINER",
    "DNS_NAME",
    "GROUP",
    "HANDOVER_MANAGER",
    "KIND",
    "LABEL_INSTANCE",
    "LABEL_MANAGED_BY",
    "LABEL_NAME",
    "LABEL_SERVICE",
    "MANAGED_BY",
    "MANAGER",
    "PLURAL",
    "RUNTIME_DIRECTORY",
    "VERSION",
]

DNS_NAME: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
"""Pattern of the names that Kubernetes takes for most objects, and before the slash of a label."""

GROUP: Final = "wakala.com"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "wakala.com/v1alpha1"
KIND: Final = "WakalaService"
PLURAL = "wakalaservices"

MANAGER = "wakala-operator"
"""Field manager of every server-side apply of ours, and the value of the managed-by label."""
HANDOVER_MANAGER = "wakala-operator-handover"
"""Holds `spec.replicas` between our own apply and the autoscaler's first write, so that it never falls to 1."""

MANAGED_BY = MANAGER
LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
"""On every child; the watches ask the API server for objects with this label and no others."""
LABEL_NAME = "app.kubernetes.io/name"
LABEL_INSTANCE = "app.kubernetes.io/instance"
LABEL_SERVICE = f"{GROUP}/service"
"""The WakalaService a child or pod belongs to; the Deployment's immutable selector is this label alone."""

ANNOTATION_APPLIED = f"{GROUP}/applied"
"""Digest of what we last asked for: a set that shrank leaves no differing field, but another digest."""
ANNOTATION_ACCEPTED = f"{GROUP}/accepted"
"""Digest of what admission made of our values; not fought until the wanted value changes."""
ANNOTATION_ADOPT = f"{GROUP}/adopt"
"""Written by an owner on an object of theirs: the name of the WakalaService that may take it over."""
ANNOTATION_RUNTIME = f"{GROUP}/runtime-hash"
"""On the pod template: digest of the runtime ConfigMap, so that changed settings roll out."""
ANNOTATION_REFERENCES = f"{GROUP}/references-hash"
"""On the pod template: digest of the Secrets and ConfigMaps the pods read, salted with their UIDs."""

CONTAINER = "api"
"""Name of the service's container (the guide's); `podTemplatePatch` may add others but not rename it."""
RUNTIME_DIRECTORY = "/etc/wakala"
"""Where the runtime ConfigMap is mounted."""
CONDITION_DOCS = "docs/conditions"
"""Folder of the pages that explain each condition."""
