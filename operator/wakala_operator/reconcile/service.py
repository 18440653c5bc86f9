"""One pass over one service: look, decide, write, report. This page tells the whole story.

Every wake leads here: a change of the service, of one of its objects, of what it refers to, or the passing of time. The
order and the number of passes do not matter; a pass that finds nothing to do writes nothing.
"""

import logging
import random
from typing import Any

from wakala_operator.build.context import Build, Refused
from wakala_operator.build.desired import desired, referred, with_references
from wakala_operator.build.references import Reference
from wakala_operator.cluster.errors import ClusterError, Conflict, NotFound
from wakala_operator.cluster.status import write_status
from wakala_operator.judge import conditions
from wakala_operator.judge.decisions import Decided, log, notes
from wakala_operator.judge.findings import Seen, findings
from wakala_operator.judge.outcome import Done, Outcome, Stalled, Wait, worst
from wakala_operator.judge.rollout import Rollout, judge_rollout, pods_in_words
from wakala_operator.judge.status import new_status
from wakala_operator.kinds import DEPLOYMENT, WAKALASERVICE
from wakala_operator.observe.observation import Observation, look, pods_of
from wakala_operator.observe.references import Referred, read_references
from wakala_operator.reconcile.act import Acted, act, outcome_of, pending
from wakala_operator.reconcile.memory import Memory
from wakala_operator.reconcile.world import Key, World

__all__ = ["again", "reconcile"]

logger = logging.getLogger(__name__)
FIRST_QUIET = 60.0
"""Seconds to the first look at a service that nothing happened to."""
WATCHED_ROLLOUT = 10.0
"""Seconds between two looks at what keeps the pods of a rollout."""


async def reconcile(world: World, key: Key) -> Outcome | None:
    """One pass; how it ended, or None when the service is gone."""
    seen = look(world.store, *key)
    if seen is None:
        world.memories.pop(key, None)
        return None
    if seen.raw["spec"].get("operatorClass", "") != world.settings.operator_class:
        world.memories.pop(key, None)
        return None
    memory = world.memory(key)
    acted, held = await _decide_and_act(world, memory, seen)
    return await _report(world, memory, key, seen, acted, held)


async def _decide_and_act(
    world: World, memory: Memory, seen: Observation
) -> tuple[Acted, tuple[str, ...]]:
    """What the spec asks for, made true; or why not; and what a pause holds back."""
    if seen.service is None:
        said = "; ".join(str(problem) for problem in seen.problems)
        return Acted([Stalled("SpecInvalid", f"the spec can't be read: {said}")]), ()
    try:
        wanted = desired(Build(seen.service))
        digest, rolled = await _referred(world, memory, seen, referred(wanted))
        wanted = with_references(wanted, digest)
    except Refused as refusal:
        return Acted([Stalled(refusal.reason, str(refusal))]), ()
    except ClusterError as error:
        return Acted([outcome_of(error)]), ()
    if seen.service.spec.paused:
        return Acted([Done()]), pending(wanted, seen)
    acted = await act(world, memory, seen, wanted)
    acted.decided = [*rolled, *acted.decided]
    return acted, ()


async def _referred(
    world: World, memory: Memory, seen: Observation, asked: tuple[Reference, ...]
) -> tuple[str, list[Decided]]:
    """The digest of what the pods read, read again when it is due, and what is to be said about a change."""
    now = world.monotonic()
    old = memory.referred
    due = now - memory.referred_at >= world.settings.references_seconds * 0.9
    if old is not None and asked == memory.asked and not due:
        return old.digest, []
    fresh = await read_references(world.cluster, seen.raw["metadata"]["namespace"], asked)
    memory.asked, memory.referred, memory.referred_at = asked, fresh, now
    return fresh.digest, _changes(old, fresh) if seen.children else []


def _changes(old: Referred | None, fresh: Referred) -> list[Decided]:
    """Which referred objects changed since they were last read by this process."""
    if old is None:
        return []
    changed = [name for name, part in fresh.parts.items() if old.parts.get(name, part) != part]
    return (
        [Decided("RolledOut", f"{', '.join(changed)} changed, and the pods are replaced")]
        if changed
        else []
    )


async def _report(
    world: World, memory: Memory, key: Key, seen: Observation, acted: Acted, held: tuple[str, ...]
) -> Outcome | None:
    """Say what is true: the status, the Events, one log line for each decision."""
    now = world.utc()
    outcome = worst(acted.outcomes)
    rollout = await _rollout(world, seen)
    previous = seen.raw.get("status", {})
    spec = seen.service.spec if seen.service is not None else None
    referred = memory.referred
    found = findings(
        Seen(
            spec,
            outcome,
            rollout,
            held,
            conditions.find(previous.get("conditions", []), "Ready"),
            referred.missing if referred is not None else (),
        )
    )
    standing = (
        notes(spec, unknown=seen.unknown, unreadable=referred.forbidden if referred else ())
        if spec is not None
        else []
    )
    status = new_status(
        generation=seen.raw["metadata"].get("generation", 0),
        conditions=conditions.fold(
            previous.get("conditions", []),
            found,
            generation=seen.raw["metadata"].get("generation", 0),
            now=now,
        ),
        decisions=log(previous.get("decisions", []), acted.decided, standing, now=now),
        deployment=world.store.get(DEPLOYMENT, *key),
        children=world.store.children(seen.raw["metadata"]["uid"]),
    )
    try:
        written = await write_status(world.cluster, seen.raw, status)
    except NotFound:
        return None
    except Conflict:
        return Wait(1.0, "Conflict", "the service was deleted and made anew")
    except ClusterError as error:
        return outcome_of(error)
    if written is not None and _only_status_differs(written, seen.raw):
        world.store.saw(WAKALASERVICE, None, written)
    await _tell(world, seen.raw, acted.decided, outcome, previous)
    if acted.decided or written is not None:
        memory.quiet = 0.0
    return outcome


def _only_status_differs(written: dict[str, Any], looked_at: dict[str, Any]) -> bool:
    """Whether the answer to our status is still the service we looked at.

    If somebody changed it in between, the answer has their change too. Taken in here it would be known and nobody woken for
    it: their event, when it comes, would be older than what is known. It is left to the watch then.
    """
    new, old = written["metadata"], looked_at["metadata"]
    told = ("generation", "annotations", "labels", "deletionTimestamp")
    return all(new.get(name) == old.get(name) for name in told)


async def _rollout(world: World, seen: Observation) -> Rollout | None:
    """Where the Deployment stands; what keeps its pods is looked at only while something does."""
    metadata = seen.raw["metadata"]
    deployment = world.store.get(DEPLOYMENT, metadata["namespace"], metadata["name"])
    if deployment is None or seen.service is None:
        return None
    asked = seen.service.spec.disruption.min_available_for_ready
    rollout = judge_rollout(deployment, asked=asked)
    if rollout.state == "Complete":
        return rollout
    pods = await pods_of(world.cluster, metadata["namespace"], metadata["name"])
    return judge_rollout(deployment, asked=asked, pods=pods_in_words(pods))


async def _tell(
    world: World,
    raw: dict[str, Any],
    decided: list[Decided],
    outcome: Outcome,
    previous: dict[str, Any],
) -> None:
    """Events and log lines; a stop that was told before is not told again."""
    told = list(decided)
    if isinstance(outcome, Stalled):
        old = conditions.find(previous.get("conditions", []), "Stalled") or {}
        if (old.get("reason"), old.get("message")) != (
            outcome.reason,
            outcome.say[: conditions.LONGEST_MESSAGE],
        ):
            told.append(Decided(outcome.reason, outcome.say, warning=True))
    for decision in told:
        level = logging.WARNING if decision.warning else logging.INFO
        logger.log(level, "%s: %s", decision.reason, decision.message)
        await world.recorder.tell(
            world.cluster, raw, decision, now=world.monotonic(), time=world.utc()
        )


def again(world: World, key: Key, outcome: Outcome) -> float:
    """Seconds until the next look, as far as this pass knows: longer each time while nothing happens."""
    memory = world.memory(key)
    if isinstance(outcome, Wait):
        return outcome.after
    longest = world.settings.resync_seconds
    memory.quiet = min(memory.quiet * 2 or min(FIRST_QUIET, longest / 10), longest)
    due = [memory.quiet]
    if memory.asked:
        due.append(world.settings.references_seconds)
    deployment = world.store.get(DEPLOYMENT, *key)
    if deployment is not None and judge_rollout(deployment, asked=1).state == "Progressing":
        due.append(WATCHED_ROLLOUT)
    return min(due) * random.uniform(0.9, 1.1)  # noqa: S311 - jitter
