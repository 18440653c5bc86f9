"""What is to be done with each child: keep, create, apply; and which children are to go.

A child is left alone when it carries the digest of what is wanted and no wanted leaf differs, or when what differs is what
admission made of our values the last time (`accepted`). The digest sees what a comparison of leaves can't: a wanted set
that shrank.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wakala_api.names import (
    ANNOTATION_ACCEPTED,
    ANNOTATION_APPLIED,
    HANDOVER_MANAGER,
    MANAGER,
)
from wakala_operator.judge.difference import Difference, differences, digest, digest_of, owns

__all__ = [
    "HANDOVER_MANAGER",
    "Apply",
    "Create",
    "Keep",
    "Step",
    "accepting",
    "controller_of",
    "hand_over",
    "plan_child",
    "plan_prune",
    "stamped",
    "with_replicas",
]

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing to write."""


@dataclass(frozen=True, slots=True)
class Create:
    """It is not there."""

    wanted: Object


@dataclass(frozen=True, slots=True)
class Apply:
    """It is there and not as wanted."""

    wanted: Object
    drift: tuple[Difference, ...]
    """What somebody else changed; empty where our own wish changed."""


Step = Keep | Create | Apply


def stamped(wanted: Object, **more: str) -> Object:
    """The wanted object with its own digest, and further annotations."""
    metadata = wanted["metadata"]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_APPLIED: digest(wanted), **more}
    return wanted | {"metadata": metadata | {"annotations": annotations}}


def plan_child(wanted: Object, live: Object | None) -> Step:
    """What to do so that `live` becomes `wanted`."""
    stamp = stamped(wanted)
    if live is None:
        return Create(stamp)
    annotations = live["metadata"].get("annotations", {})
    found = differences(wanted, live)
    if annotations.get(ANNOTATION_APPLIED) != stamp["metadata"]["annotations"][ANNOTATION_APPLIED]:
        return Apply(stamp, ())
    if not found or annotations.get(ANNOTATION_ACCEPTED) == digest_of(found):
        return Keep()
    return Apply(stamp, tuple(found))


def accepting(wanted: Object, live: Object) -> Object | None:
    """After an apply: the object to apply once more, so that what admission made of it is remembered; or None."""
    found = differences(wanted, live)
    if not found or live["metadata"].get("annotations", {}).get(ANNOTATION_ACCEPTED) == digest_of(
        found
    ):
        return None
    return stamped(wanted, **{ANNOTATION_ACCEPTED: digest_of(found)})


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The owner reference of the controller, if it has one."""
    owners = obj["metadata"].get("ownerReferences", [])
    return next((owner for owner in owners if owner.get("controller")), None)


def plan_prune(desired: Iterable[Object], children: Iterable[Object], uid: str) -> list[Object]:
    """The children that are no longer desired: ours by controller reference and UID, and not yet on their way out.

    Args:
        desired: what should be there.
        children: what is there in the service's namespace.
        uid: the service's UID.
    """
    wanted = {(obj["apiVersion"], obj["kind"], obj["metadata"]["name"]) for obj in desired}
    return [
        child
        for child in children
        if (child["apiVersion"], child["kind"], child["metadata"]["name"]) not in wanted
        and (controller_of(child) or {}).get("uid") == uid
        and not child["metadata"].get("deletionTimestamp")
    ]


def with_replicas(wanted: Object, replicas: int) -> Object:
    """The wanted Deployment with a count, as a new autoscaled one starts."""
    return wanted | {"spec": wanted["spec"] | {"replicas": replicas}}


def hand_over(wanted: Object, live: Object, *, minimum: int, maximum: int) -> Object | None:
    """What the hand-over manager must hold before `spec.replicas` leaves our set; None when it has left.

    Dropping the field while only we hold it would reset it to 1: an outage (trap G17a). The count is the one that was seen,
    and the version goes with it: a count that was changed since is not set back, the API server answers with a conflict.
    """
    if "replicas" in wanted["spec"] or not owns(live, MANAGER, "spec", "replicas"):
        return None
    replicas = min(max(live["spec"].get("replicas", 1), minimum), maximum)
    return {
        "apiVersion": wanted["apiVersion"],
        "kind": wanted["kind"],
        "metadata": {
            name: live["metadata"][name] for name in ("name", "namespace", "uid", "resourceVersion")
        },
        "spec": {"replicas": replicas},
    }
