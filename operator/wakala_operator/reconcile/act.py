"""The writing part of a pass: every child brought to what is wanted, and what is no longer wanted taken away.

Each object answers for itself. A name that belongs to somebody else, or a Deployment that the API server would refuse,
is found out before the first write, so that a bad spec has no half effect.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wakala_api.names import MANAGER
from wakala_api.service import WakalaService
from wakala_operator.cluster.apply import NameTaken, Put, Scale, claim, put
from wakala_operator.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Terminating,
    Throttled,
)
from wakala_operator.judge.contest import contested_until, corrected
from wakala_operator.judge.decisions import Decided, together
from wakala_operator.judge.difference import Difference, describe, other_managers
from wakala_operator.judge.outcome import Done, Outcome, Stalled, Wait
from wakala_operator.judge.plan import Apply, Keep, plan_child, plan_prune
from wakala_operator.kinds import kind_of
from wakala_operator.observe.observation import Observation
from wakala_operator.reconcile.memory import Memory
from wakala_operator.reconcile.world import World

__all__ = ["Acted", "act", "outcome_of", "pending"]

Object = dict[str, Any]
MOST_FIELDS_TOLD = 3


@dataclass(slots=True)
class Acted:
    """What was done, and how it ended for each object."""

    outcomes: list[Outcome] = field(default_factory=list)
    decided: list[Decided] = field(default_factory=list)


def outcome_of(error: ClusterError) -> Outcome:
    """What a failure means for the service: wait, or a person."""
    match error:
        case NameTaken():
            return Stalled("NameTaken", str(error))
        case Invalid():
            return Stalled("Refused", f"the API server refuses it: {error}")
        case Terminating():
            return Wait(60.0, "NamespaceTerminating", str(error))
        case Forbidden():
            return Wait(30.0, "Forbidden", f"the operator may not: {error}")
        case Throttled():
            return Wait(error.retry_after, "Throttled", str(error))
        case Conflict():
            return Wait(1.0, "Conflict", str(error))
    return Wait(1.0, "ApiServerUnavailable", str(error))


def pending(desired: Sequence[Object], seen: Observation) -> tuple[str, ...]:
    """What a pause holds back because the spec asks for something else; drift is not among it."""
    held = []
    for wanted in desired:
        step = plan_child(wanted, seen.child(wanted))
        if not isinstance(step, Keep) and not (isinstance(step, Apply) and step.drift):
            held.append(f"{wanted['kind']} {wanted['metadata']['name']}")
    return tuple(held)


async def act(world: World, memory: Memory, seen: Observation, desired: Sequence[Object]) -> Acted:
    """Write what differs, then prune."""
    acted = Acted()
    try:
        claimed = await _foreseen(world, seen, desired)
    except ClusterError as error:
        acted.outcomes.append(outcome_of(error))
        return acted
    for wanted in desired:
        claims = claimed.get(wanted["kind"], ())
        acted.outcomes.append(await _one(world, memory, seen, wanted, claims, acted.decided))
        if not isinstance(acted.outcomes[-1], Done) and wanted["kind"] == "ConfigMap":
            return acted  # the pods would start without their settings
    for child in plan_prune(desired, seen.children, seen.raw["metadata"]["uid"]):
        acted.outcomes.append(await _prune(world, child, acted.decided))
    acted.decided = together(acted.decided)
    return acted


async def _foreseen(
    world: World, seen: Observation, desired: Sequence[Object]
) -> dict[str, tuple[Object | None]]:
    """What would fail half-way is found out first: names that are taken, a patched template that is refused.

    Returns:
        by kind, for each object that was not seen, what stands at its name: one that may be taken over, or None.

    Raises:
        ClusterError: it would fail.
    """
    service = _service(seen)
    absent = [wanted for wanted in desired if seen.child(wanted) is None]
    patched = service.spec.pod_template_patch is not None
    tries = [wanted for wanted in desired if patched and wanted["kind"] == "Deployment"]
    changed = [w for w in tries if not isinstance(plan_child(w, seen.child(w)), Keep)]
    name = service.metadata.name
    found = await asyncio.gather(*(claim(world.cluster, wanted, name) for wanted in absent))
    for wanted in changed:
        await world.cluster.apply(wanted, dry_run=True)
    return {wanted["kind"]: (live,) for wanted, live in zip(absent, found, strict=True)}


def _service(seen: Observation) -> WakalaService:
    if seen.service is None:
        raise TypeError("acting on a service that can't be read")
    return seen.service


async def _one(
    world: World,
    memory: Memory,
    seen: Observation,
    wanted: Object,
    claims: tuple[Object | None] | tuple[()],
    decided: list[Decided],
) -> Outcome:
    """Bring one child to what is wanted, unless somebody keeps changing it back."""
    live = claims[0] if claims else seen.child(wanted)
    name = f"{wanted['kind']} {wanted['metadata']['name']}"
    step = plan_child(wanted, live)
    drift = step.drift if isinstance(step, Apply) else ()
    now = world.monotonic()
    for difference in drift:
        until = contested_until(memory.contest, f"{name} {difference.path}", now)
        if until is not None:
            others = await _others(world, wanted, difference)
            return Wait(
                until - now,
                "Contested",
                f"{others} keeps changing {difference.path} of {name}; it is put back once a minute: "
                "let one of the two go",
            )
    service = _service(seen)
    scaling = service.spec.autoscaling
    scale = (
        Scale(scaling.min_replicas, scaling.max_replicas)
        if scaling and wanted["kind"] == "Deployment"
        else None
    )
    try:
        done = await put(
            world.cluster,
            wanted,
            live,
            adopter=service.metadata.name,
            scale=scale,
            claimed=bool(claims),
        )
    except ClusterError as error:
        return outcome_of(error)
    world.store.saw(kind_of(wanted), None, done.live)
    for difference in done.drift:
        memory.contest = corrected(memory.contest, f"{name} {difference.path}", now)
    decided += _told(name, done, seen.child(wanted))
    return Done()


async def _others(world: World, wanted: Object, difference: Difference) -> str:
    """Who changed it; asked anew, as the store keeps no list of who holds which field."""
    metadata = wanted["metadata"]
    try:
        live = await world.cluster.get(kind_of(wanted), metadata["namespace"], metadata["name"])
    except ClusterError:
        return "somebody"
    return ", ".join(other_managers(live, difference, MANAGER)) or "somebody"


def _told(name: str, done: Put, live: Object | None) -> list[Decided]:
    told = []
    if done.created:
        told.append(Decided("Created", f"made: {name}"))
    elif done.drift:
        fields = "; ".join(describe(difference) for difference in done.drift[:MOST_FIELDS_TOLD])
        more = (
            f" and {len(done.drift) - MOST_FIELDS_TOLD} more"
            if len(done.drift) > MOST_FIELDS_TOLD
            else ""
        )
        told.append(Decided("Corrected", f"{name} was put right: {fields}{more}", warning=True))
    elif done.changed:
        told.append(
            Decided("Changed" if live is not None else "Adopted", f"{name} follows the spec again")
        )
    if done.handed_over is not None:
        told.append(
            Decided(
                "HandedOver",
                f"spec.replicas of {name} ({done.handed_over}) belongs to the autoscaler now",
            )
        )
    return told


async def _prune(world: World, child: Object, decided: list[Decided]) -> Outcome:
    name = f"{child['kind']} {child['metadata']['name']}"
    try:
        await world.cluster.delete(child)
    except NotFound:
        return Done()
    except ClusterError as error:
        return outcome_of(error)
    decided.append(Decided("Pruned", f"deleted, as the spec no longer asks for it: {name}"))
    return Done()
