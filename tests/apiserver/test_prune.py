"""What nobody wants any more goes, and exactly that."""

import asyncio

import pytest

from tests.support.until import until
from wakala_operator.cluster.apply import put
from wakala_operator.cluster.errors import Conflict, NotFound
from wakala_operator.kinds import kind_of


async def deleted(client, api, seen):
    """Delete an object in whatever version it is; controllers write to it too."""
    metadata = seen["metadata"]
    async with asyncio.timeout(10):
        while True:
            latest = await client.get(kind_of(seen), api.namespace, metadata["name"])
            try:
                return await client.delete(
                    latest | {"kind": seen["kind"], "apiVersion": seen["apiVersion"]}
                )
            except Conflict:
                continue


async def test_exactly_the_object_that_was_seen_is_deleted(client, api, wanted):
    seen = (await put(client, wanted()["PodDisruptionBudget"], None, adopter="a")).live
    await deleted(client, api, seen)
    await asyncio.to_thread(until, lambda: api.get("PodDisruptionBudget", "a") is None)
    with pytest.raises(NotFound):
        await client.delete(seen)


async def test_a_namesake_made_since_survives(client, api, wanted):
    obj = wanted()["PodDisruptionBudget"]
    seen = (await put(client, obj, None, adopter="a")).live
    await deleted(client, api, seen)
    await asyncio.to_thread(until, lambda: api.get("PodDisruptionBudget", "a") is None)
    anew = (await put(client, obj, None, adopter="a")).live
    with pytest.raises(Conflict):
        await client.delete(seen)
    left = await asyncio.to_thread(api.get, "PodDisruptionBudget", "a")
    assert left["metadata"]["uid"] == anew["metadata"]["uid"]


async def test_an_object_that_changed_hands_since_survives(client, api, wanted):
    """Somebody took our owner reference away a moment ago."""
    seen = (await put(client, wanted()["ConfigMap"], None, adopter="a")).live
    name = seen["metadata"]["name"]
    await asyncio.to_thread(api.patch, "ConfigMap", name, {"metadata": {"ownerReferences": None}})
    with pytest.raises(Conflict):
        await client.delete(seen)
    assert await asyncio.to_thread(api.get, "ConfigMap", name)


async def test_a_deployment_takes_its_pods_with_it(client, api, wanted):
    seen = (await put(client, wanted()["Deployment"], None, adopter="a")).live
    for needed in (wanted()["ServiceAccount"], wanted()["ConfigMap"]):
        await put(client, needed, None, adopter="a")
    await asyncio.to_thread(until, lambda: len(api.list("ReplicaSet")) == 1)
    await deleted(client, api, seen)
    await asyncio.to_thread(until, lambda: api.list("ReplicaSet") == [])
