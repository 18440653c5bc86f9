"""Bring one child to what is wanted, with as few requests as can be, and never touch somebody else's object.

A child that the store does not know may still be there without our label: it is looked up before it is made. An object of
that name without our controller reference is left alone, unless its owner has annotated it for adoption. The apply that
makes a child does not force, so that an object that appears in between conflicts instead of being taken over.
"""

from dataclasses import dataclass
from typing import Any

from wakala_api.names import ANNOTATION_ADOPT, HANDOVER_MANAGER
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.errors import ClusterError, Conflict, NotFound
from wakala_operator.judge.difference import Difference
from wakala_operator.judge.plan import (
    Apply,
    Create,
    Keep,
    accepting,
    controller_of,
    hand_over,
    plan_child,
    with_replicas,
)
from wakala_operator.kinds import kind_of

__all__ = ["NameTaken", "Put", "Scale", "claim", "put"]

Object = dict[str, Any]


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
    """
    metadata = wanted["metadata"]
    try:
        found = await cluster.get(kind_of(wanted), metadata["namespace"], metadata["name"])
    except NotFound:
        return None
    owner, ours = controller_of(found), controller_of(wanted)
    if owner and ours and owner.get("uid") == ours.get("uid"):
        return found
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
) -> Put:
    """Make `wanted` true.

    Args:
        cluster: where.
        wanted: the object, without our bookkeeping annotations.
        live: the object as it was last seen; None when it was not.
        adopter: name of the service, for adoption.
        scale: for a Deployment whose count belongs to an autoscaler, its bounds.

    Raises:
        NameTaken: the name belongs to somebody else.
        ClusterError: the API server refused or did not answer.
    """
    created = False
    handed_over = None
    if live is None:
        live = await claim(cluster, wanted, adopter)
    if live is None:
        first = wanted if scale is None else with_replicas(wanted, scale.minimum)
        live, created = await _create(cluster, first, adopter), True
    if scale is not None:
        gift = hand_over(wanted, live, minimum=scale.minimum, maximum=scale.maximum)
        if gift is not None:
            live = await cluster.apply(gift, manager=HANDOVER_MANAGER)
            handed_over = int(gift["spec"]["replicas"])
    step = plan_child(wanted, live)
    if isinstance(step, Keep):
        return Put(live, created=created, handed_over=handed_over)
    live = await _settled(cluster, wanted, await cluster.apply(step.wanted))
    drift = step.drift if isinstance(step, Apply) else ()
    return Put(live, created=created, changed=not drift, drift=drift, handed_over=handed_over)


async def _create(cluster: Cluster, wanted: Object, adopter: str) -> Object:
    step = plan_child(wanted, None)
    if not isinstance(step, Create):
        raise TypeError(step)
    try:
        live = await cluster.apply(step.wanted, force=False)
    except Conflict:
        # Somebody made an object of that name since we looked: say whose it is, or go on with our own.
        await claim(cluster, wanted, adopter)
        raise
    return await _settled(cluster, wanted, live)


async def _settled(cluster: Cluster, wanted: Object, live: Object) -> Object:
    """Remember what admission made of our values, once, so that it is not fought at the next event."""
    again = accepting(wanted, live)
    return await cluster.apply(again) if again is not None else live
