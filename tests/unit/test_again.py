"""When a service is looked at again although nothing happened to it: ever more seldom."""

from typing import Any, cast

import pytest

from wakala_operator.build.references import Reference
from wakala_operator.cluster.client import Cluster
from wakala_operator.judge.outcome import Done, Stalled, Wait
from wakala_operator.kinds import DEPLOYMENT
from wakala_operator.reconcile.service import again
from wakala_operator.reconcile.world import World
from wakala_operator.settings import Settings

KEY = ("n", "a")


@pytest.fixture
def world() -> World:
    return World(cast("Cluster", None), Settings(resync_seconds=600, references_seconds=60))


def about(seconds: float) -> Any:
    """So many, with a tenth of jitter."""
    return pytest.approx(seconds, rel=0.11)


def test_a_quiet_service_is_looked_at_ever_more_seldom_up_to_the_longest(world: World) -> None:
    waits = [again(world, KEY, Done()) for _ in range(6)]
    assert waits == [about(seconds) for seconds in (60, 120, 240, 480, 600, 600)]


def test_what_happens_to_it_begins_the_count_anew(world: World) -> None:
    again(world, KEY, Done())
    again(world, KEY, Done())
    world.memory(KEY).quiet = 0.0
    assert again(world, KEY, Done()) == about(60)


def test_who_reads_secrets_is_looked_at_as_often_as_they_are_read(world: World) -> None:
    world.memory(KEY).asked = (Reference("Secret", "s"),)
    assert [again(world, KEY, Done()) for _ in range(4)] == [about(60)] * 4


def test_a_rollout_is_watched_closely(world: World) -> None:
    metadata = {"namespace": "n", "name": "a", "generation": 2, "resourceVersion": "5"}
    deployment = {"metadata": metadata, "spec": {}}
    world.store.saw(DEPLOYMENT, None, deployment | {"status": {"observedGeneration": 1}})
    assert again(world, KEY, Done()) == about(10)


def test_who_waits_says_for_how_long(world: World) -> None:
    assert again(world, KEY, Wait(7.0, "Contested", "x")) == 7.0
    assert again(world, KEY, Stalled("NameTaken", "x")) == about(60)
