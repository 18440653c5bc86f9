"""What no pod of ours may be, whatever `podTemplatePatch` says: writing a service must not be a way up.

The rules look at the template that comes out, not at the patch. What has the wrong shape is passed over here: the API
server refuses it in the dry run before the first write. The volumes are those of Pod Security's `restricted` level.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from wakala_api.names import CONTAINER, GROUP
from wakala_api.service import POD_SYSCTLS
from wakala_api.units import parse
from wakala_operator.build.context import Build, Object, Refused
from wakala_operator.build.shapes import as_map, as_maps, containers

__all__ = ["check"]

HOST_NAMESPACES: Final = ("hostNetwork", "hostPID", "hostIPC")
VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
"""Kinds of volumes that reach nothing of the node."""


def check(template: Object, build: Build) -> None:
    """Refuse a template that reaches beyond its pod, or whose memory does not fit.

    Raises:
        Refused: with every sentence that applies.
    """
    pod = as_map(template.get("spec"))
    sentences = [
        *_identity(template, pod, build),
        *_pod(pod),
        *(sentence for container in containers(pod) for sentence in _container(container)),
    ]
    if sentences:
        raise Refused("TemplateRefused", "; ".join(sentences))
    if sentences := [s for container in containers(pod) for s in _memory(pod, container)]:
        raise Refused("MemoryDoesNotFit", "; ".join(sentences))


def _identity(template: Object, pod: Object, build: Build) -> Iterator[str]:
    """Ours stay ours: account, node, labels, annotations, container."""
    for field, account in (
        ("serviceAccountName", pod.get("serviceAccountName")),
        ("serviceAccount", pod.get("serviceAccount", build.name)),
    ):
        if account != build.name:
            yield f"spec.podTemplatePatch may not give the pods another ServiceAccount ({field}); leave it out"
    if pod.get("automountServiceAccountToken") is not False:
        yield (
            "spec.podTemplatePatch may not mount the ServiceAccount's token (automountServiceAccountToken); "
            "leave it out"
        )
    if "nodeName" in pod:
        yield "spec.podTemplatePatch may not choose a node by nodeName; use spec.scheduling.nodeSelector"
    metadata = as_map(template.get("metadata"))
    wanted = build.metadata()["labels"]
    changed = [
        *(name for name in wanted if as_map(metadata.get("labels")).get(name) != wanted[name]),
        *(name for name in as_map(metadata.get("annotations")) if name.startswith(f"{GROUP}/")),
    ]
    if changed:
        names = ", ".join(changed)
        yield f"spec.podTemplatePatch may not change the operator's own labels and annotations ({names}); leave them out"
    if CONTAINER not in [container.get("name") for container in as_maps(pod.get("containers"))]:
        yield f"spec.podTemplatePatch may not take the container {CONTAINER} away; leave containers in place"


def _pod(pod: Object) -> Iterator[str]:
    for field in HOST_NAMESPACES:
        if pod.get(field) not in (None, False):
            yield f"spec.podTemplatePatch may not enter the host's namespaces ({field}); leave it out"
    if not as_map(as_map(pod.get("securityContext")).get("seccompProfile")).get("type"):
        yield "spec.podTemplatePatch may not take the pods' seccompProfile away; leave it in place"
    yield from _unconfined(pod, "the pods")
    for sysctl in as_maps(as_map(pod.get("securityContext")).get("sysctls")):
        if sysctl.get("name") not in POD_SYSCTLS:
            yield (
                f"spec.podTemplatePatch may not set sysctl {sysctl.get('name')}, which is not safe in a pod; "
                "settings of the host belong to spec.nodeTuning"
            )
    for volume in as_maps(pod.get("volumes")):
        projected = as_maps(as_map(volume.get("projected")).get("sources"))
        tokens = (
            {"serviceAccountToken"} if any("serviceAccountToken" in s for s in projected) else set()
        )
        for kind in sorted((volume.keys() - VOLUMES - {"name"}) | tokens):
            yield (
                f"spec.podTemplatePatch may not mount a {kind} (volume {volume.get('name')}); "
                "use an emptyDir, a claim, a ConfigMap or a Secret"
            )


def _container(container: Object) -> Iterator[str]:
    name = f"container {container.get('name')}"
    context = as_map(container.get("securityContext"))
    if context.get("privileged") not in (None, False):
        yield f"spec.podTemplatePatch may not make {name} privileged; leave it out"
    if as_map(context.get("capabilities")).get("add"):
        yield f"spec.podTemplatePatch may not add capabilities to {name}; leave them out"
    if context.get("procMount") not in (None, "Default"):
        yield f"spec.podTemplatePatch may not unmask /proc of {name} (procMount); leave it out"
    yield from _unconfined(container, name)
    if any(port.get("hostPort") for port in as_maps(container.get("ports"))):
        yield f"spec.podTemplatePatch may not take a port of the host for {name} (hostPort); use the Service"


def _unconfined(owner: Object, name: str) -> Iterator[str]:
    """Profiles that a pod or a container would shed."""
    context = as_map(owner.get("securityContext"))
    for field in ("seccompProfile", "appArmorProfile"):
        if as_map(context.get(field)).get("type") == "Unconfined":
            yield f"spec.podTemplatePatch may not run {name} without its profile ({field}: Unconfined); leave it out"
    if as_map(context.get("windowsOptions")).get("hostProcess"):
        yield f"spec.podTemplatePatch may not run {name} as a process of the host (hostProcess); leave it out"


def _memory(pod: Object, container: Object) -> Iterator[str]:
    """The request and the memory-backed volumes of a container against its limit, where it has one (trap G14)."""
    resources = as_map(container.get("resources"))
    limit = _amount(as_map(resources.get("limits")).get("memory"))
    if limit is None:
        return
    name = f"container {container.get('name')}"
    mounted = {mount.get("name") for mount in as_maps(container.get("volumeMounts"))}
    request = as_map(resources.get("requests")).get("memory")
    parts = [("requests.memory", request)] if request is not None else []
    for volume in as_maps(pod.get("volumes")):
        scratch = as_map(volume.get("emptyDir"))
        if scratch.get("medium") != "Memory" or volume.get("name") not in mounted:
            continue
        if "sizeLimit" not in scratch:
            yield f"volume {volume.get('name')} in memory of {name} has no sizeLimit; give it one"
        parts.append((f"volume {volume.get('name')}", scratch.get("sizeLimit", 0)))
    amounts = [(label, text, _amount(text)) for label, text in parts]
    total = sum((amount for _, _, amount in amounts if amount is not None), Decimal(0))
    if total > limit:
        shown = " + ".join(f"{label} {text}" for label, text, _ in amounts)
        yield (
            f"after spec.podTemplatePatch {shown} of {name} is more than its limits.memory "
            f"{as_map(resources.get('limits'))['memory']}, to which memory-backed volumes are charged; "
            "raise the limit or lower one of them"
        )


def _amount(text: Any) -> Decimal | None:
    """A quantity as a number; None where it is none, which the API server will say."""
    try:
        return parse(text) if isinstance(text, str | int) else None
    except ValueError:
        return None
