"""`spec.replicas` between us and an autoscaler, whatever step a crash comes after: the count never dips."""

import asyncio
import contextlib

import pytest

from wakala_operator.cluster.apply import Scale, put
from wakala_operator.judge.plan import Keep, plan_child
from wakala_operator.kinds import DEPLOYMENT

SCALE = Scale(3, 9)


def holders(live):
    return {
        entry["manager"]
        for entry in live["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }


async def test_a_new_one_starts_at_the_minimum(client, wanted):
    obj = wanted(autoscaling={"minReplicas": 3, "maxReplicas": 9})["Deployment"]
    done = await put(client, obj, None, adopter="a", scale=SCALE)
    assert done.created
    assert done.handed_over == 3
    assert done.live["spec"]["replicas"] == 3
    assert holders(done.live) == {"wakala-operator-handover"}
    assert plan_child(obj, done.live) == Keep()


@pytest.mark.parametrize("dies_after", [1, 2, 3, 4])
@pytest.mark.parametrize("begins", ["new", "fixed"])
async def test_a_crash_between_any_two_writes_converges_without_a_dip(
    client, wanted, begins, dies_after
):
    auto = wanted(autoscaling={"minReplicas": 3, "maxReplicas": 9})["Deployment"]
    counts = []

    class Crash(Exception):
        """The process is gone."""

    class Dying:
        """The client of a process that dies before a certain write."""

        def __init__(self, left):
            self.left = left

        def __getattr__(self, name):
            return getattr(client, name)

        async def apply(self, *args, **more):
            if not self.left:
                raise Crash
            self.left -= 1
            live = await client.apply(*args, **more)
            counts.append(live["spec"]["replicas"])
            return live

    if begins == "fixed":
        await put(Dying(9), wanted(replicas=5)["Deployment"], None, adopter="a")
    with contextlib.suppress(Crash):
        await put(Dying(dies_after - 1), auto, None, adopter="a", scale=SCALE)
    done = await put(Dying(9), auto, None, adopter="a", scale=SCALE)
    assert set(counts) == {5 if begins == "fixed" else 3}
    assert holders(done.live) == {"wakala-operator-handover"}
    assert plan_child(auto, done.live) == Keep()


async def test_a_count_that_changed_since_we_looked_is_not_set_back(client, api, wanted):
    fixed, auto = wanted(replicas=4)["Deployment"], wanted(autoscaling={"maxReplicas": 9})
    seen = (await put(client, fixed, None, adopter="a")).live
    await asyncio.to_thread(api.patch, "Deployment", "a", {"spec": {"replicas": 8}}, sub="scale")
    done = await put(client, auto["Deployment"], seen, adopter="a", scale=SCALE)
    assert done.live["spec"]["replicas"] == 8


async def test_back_to_a_fixed_count_is_taken_by_force(client, api, wanted):
    auto = wanted(autoscaling={"minReplicas": 3, "maxReplicas": 9})["Deployment"]
    live = (await put(client, auto, None, adopter="a", scale=SCALE)).live
    live = await asyncio.to_thread(
        api.patch, "Deployment", "a", {"spec": {"replicas": 8}}, sub="scale"
    )
    live = await client.get(DEPLOYMENT, api.namespace, "a")
    done = await put(client, wanted(replicas=6)["Deployment"], live, adopter="a")
    assert done.live["spec"]["replicas"] == 6
    assert holders(done.live) == {"wakala-operator"}
