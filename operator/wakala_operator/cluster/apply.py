"""Bring one child to what is wanted, with as few requests as can be, and never touch somebody else's object.

A child that the store does not know may still be there without our label: it is looked up before it is made. An object of
that name without our controller reference is left alone, unless its owner has annotated it for adoption. The apply that
makes a child does not force, so that an object that appears in between conflicts instead of being taken over; the apply
that changes one names its UID, so that a namesake made since is not taken for it.
"""

from dataclasses import dataclass, replace
from typing import Any

from wakala_api.names import ANNOTATION_ADOPT, HANDOVER_MANAGER, KIND, MANAGER
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import ClusterError, Conflict, Invalid, NotFound
from wakala_operator.judge.difference import Difference, differences
from wakala_operator.judge.ownership import taken_over
from wakala_operator.judge.plan import (
    Apply,
    accepting,
    controller_of,
    hand_over,
    plan_child,
    stamped,
    with_replicas,
)
from wakala_operator.kinds import kind_of

__all__ = ["NameTaken", "Put", "Scale", "claim", "put"]

Object = dict[str, Any]
TRIES = 4
"""Looks at a child that changes under our hands, as a new Deployment does, before the pass ends and waits."""


class NameTaken(ClusterError):
    """An object of that name belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Bounds of the autoscaler that owns `spec.replicas` of a Deployment."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Put:
    """A child after `put`."""

    live: Object
    """The object as the API server has it."""
    created: bool = False
    changed: bool = False
    drift: tuple[Difference, ...] = ()
    """What somebody else had changed and was put right."""
    handed_over: int | None = None
    """The count with which `spec.replicas` was given to the autoscaler in this call."""


async def claim(cluster: Cluster, wanted: Object, adopter: str) -> Object | None:
    """The live object that the store did not know, if it is ours or may be adopted; None when the name is free.

    Raises:
        NameTaken: it belongs to somebody else.
        Conflict: it belongs to a former service of this name, and will go with it.
    """
    metadata = wanted["metadata"]
    try:
        found = await cluster.get(kind_of(wanted), metadata["namespace"], metadata["name"])
    except NotFound:
        return None
    owner, ours = controller_of(found), controller_of(wanted)
    if owner and ours and owner.get("uid") == ours.get("uid"):
        return found
    if owner and ours and (owner["kind"], owner["name"]) == (KIND, ours["name"]):
        raise Conflict(
            f"{wanted['kind']} {metadata['name']} belongs to a deleted {KIND} of the same name; "
            "waiting until it is gone"
        )
    may_adopt = found["metadata"].get("annotations", {}).get(ANNOTATION_ADOPT) == adopter
    if owner is None and may_adopt:
        return found
    belongs = (
        f"belongs to {owner['kind']} {owner['name']}" if owner else "was made by somebody else"
    )
    remedy = "rename the WakalaService or remove that object"
    if owner is None:
        remedy += f", or annotate it {ANNOTATION_ADOPT}: {adopter} to hand it over"
    raise NameTaken(f"{wanted['kind']} {metadata['name']} {belongs} and is not touched; {remedy}")


async def put(
    cluster: Cluster,
    wanted: Object,
    live: Object | None,
    *,
    adopter: str,
    scale: Scale | None = None,
    claimed: bool = False,
) -> Put:
    """Make `wanted` true.

    Args:
        cluster: where.
        wanted: the object, without our bookkeeping annotations.
        live: the object as it was last seen; None when it was not.
        adopter: name of the service, for adoption.
        claimed: whether `live` is what `claim` has just answered, so that it need not be asked again.
        scale: for a Deployment whose count belongs to an autoscaler, its bounds.

    Raises:
        NameTaken: the name belongs to somebody else.
        ClusterError: the API server refused or did not answer.
    """
    created = False
    for attempt in range(1, TRIES + 1):
        if live is None and not claimed:
            live = await claim(cluster, wanted, adopter)
        claimed = False
        try:
            if live is None:
                live, created = await _create(cluster, wanted, scale), True
            return replace(await _bring(cluster, wanted, live, scale), created=created)
        except Conflict:
            # Not the object we saw: deleted, made anew or changed since, or made by somebody right now. Look again.
            if attempt == TRIES:
                raise
            live = None
    raise AssertionError("the last attempt returns or raises")


async def _create(cluster: Cluster, wanted: Object, scale: Scale | None) -> Object:
    first = wanted if scale is None else with_replicas(wanted, scale.minimum)
    live = await cluster.apply(stamped(first), force=False)
    return await _remember(cluster, first, live)


async def _bring(cluster: Cluster, wanted: Object, live: Object, scale: Scale | None) -> Put:
    """Bring an object that is there to what is wanted: hand over its count, apply, remember what admission made of it."""
    handed_over = None
    if scale is not None:
        gift = hand_over(wanted, live, minimum=scale.minimum, maximum=scale.maximum)
        if gift is not None:
            live = await cluster.apply(gift, manager=HANDOVER_MANAGER)
            handed_over = int(gift["spec"]["replicas"])
    step = plan_child(wanted, live)
    if isinstance(step, Apply):
        live = await _apply(cluster, step.wanted, live)
        live = await _remember(cluster, wanted, live)
    drift = step.drift if isinstance(step, Apply) else ()
    changed = isinstance(step, Apply) and not drift
    return Put(live, changed=changed, drift=drift, handed_over=handed_over)


async def _apply(cluster: Cluster, wanted: Object, live: Object) -> Object:
    """Apply; where the API server refuses ours beside what somebody put in its place, theirs goes."""
    try:
        return await cluster.apply(_same(wanted, live))
    except Invalid:
        metadata = wanted["metadata"]
        live = await cluster.get(kind_of(wanted), metadata["namespace"], metadata["name"])
        managers = taken_over(live, differences(wanted, live), MANAGER)
        if managers is None:
            raise
    version = live["metadata"]["resourceVersion"]
    change = {"metadata": {"managedFields": managers, "resourceVersion": version}}
    await cluster.merge(kind_of(wanted), metadata["namespace"], metadata["name"], change)
    return await cluster.apply(_same(wanted, live))


async def _remember(cluster: Cluster, wanted: Object, live: Object) -> Object:
    """Write down what admission made of our values, once, so that it is not fought at the next event."""
    again = accepting(wanted, live)
    return live if again is None else await cluster.apply(_same(again, live))


def _same(wanted: Object, live: Object) -> Object:
    """The wanted object, for exactly the live one."""
    return wanted | {"metadata": wanted["metadata"] | {"uid": live["metadata"]["uid"]}}
