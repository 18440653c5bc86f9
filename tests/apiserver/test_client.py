"""Lists, Events and the status, as they arrive at the API server."""

import asyncio

import pytest

from tests.support.audit import entries, position, writes
from wakala_operator.cluster import client as client_module
from wakala_operator.cluster.errors import Conflict, NotFound
from wakala_operator.cluster.events import Recorder
from wakala_operator.cluster.status import write_status
from wakala_operator.judge.decisions import Decided
from wakala_operator.kinds import CONFIG_MAP, WAKALASERVICE

EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"


async def test_a_long_list_is_read_page_by_page_and_whole(client, api, monkeypatch):
    monkeypatch.setattr(client_module, "PAGE", 3)
    for number in range(8):
        labels = {"chosen": str(number != 4)}
        metadata = {"name": f"c{number}", "namespace": api.namespace, "labels": labels}
        await client.create(CONFIG_MAP, {"metadata": metadata})
    found = await client.list(CONFIG_MAP, api.namespace, labels="chosen=True")
    assert [o["metadata"]["name"] for o in found.items] == [f"c{n}" for n in range(8) if n != 4]
    assert {(o["apiVersion"], o["kind"]) for o in found.items} == {("v1", "ConfigMap")}
    newest = max(int(o["metadata"]["resourceVersion"]) for o in found.items)
    assert int(found.resource_version) >= newest
    some = await client.list(CONFIG_MAP, api.namespace, most=2)
    assert len(some.items) == 2


async def test_a_dry_run_changes_nothing(client, api, wanted):
    answer = await client.apply(wanted()["ConfigMap"], dry_run=True)
    assert answer["kind"] == "ConfigMap"
    with pytest.raises(NotFound):
        await client.get(CONFIG_MAP, api.namespace, answer["metadata"]["name"])


async def test_every_request_says_who_we_are(client, api):
    since = position(api.cluster.audit_log)
    await client.create(CONFIG_MAP, {"metadata": {"name": "c", "namespace": api.namespace}})
    agents = {
        entry["userAgent"]
        for entry in entries(api.cluster.audit_log, since)
        if entry["objectRef"].get("namespace") == api.namespace
        and entry["objectRef"].get("name") == "c"
    }
    assert agents == {"wakala-operator"}


async def test_an_event_is_written_once_and_its_repeat_counted_seldom(client, api, wanted):
    wanted()
    service = await client.get(WAKALASERVICE, api.namespace, "a")
    decided = Decided("Corrected", "x" * 2000, warning=True)
    recorder = Recorder()
    since = position(api.cluster.audit_log)
    for now in (0.0, 1.0, 599.0):
        await recorder.tell(client, service, decided, now=now, time=EARLY)
    [event] = await asyncio.to_thread(api.list, "Event")
    assert len(writes(api.cluster.audit_log, since, namespace=api.namespace)) == 1
    assert event["type"] == "Warning"
    assert event["reason"] == "Corrected"
    assert event["message"] == "x" * 1000
    assert event["involvedObject"]["uid"] == service["metadata"]["uid"]
    assert event["involvedObject"]["kind"] == "WakalaService"
    await recorder.tell(client, service, decided, now=601.0, time=LATE)
    [event] = await asyncio.to_thread(api.list, "Event")
    assert event["lastTimestamp"] == LATE
    await Recorder().tell(client, service, Decided("Created", "another"), now=0.0, time=LATE)
    assert len(await asyncio.to_thread(api.list, "Event")) == 2


async def test_the_same_said_again_after_a_restart_is_no_second_event(client, api, wanted):
    wanted()
    service = await client.get(WAKALASERVICE, api.namespace, "a")
    for time in (EARLY, LATE):
        await Recorder().tell(client, service, Decided("Created", "made"), now=0.0, time=time)
    [event] = await asyncio.to_thread(api.list, "Event")
    assert (event["firstTimestamp"], event["lastTimestamp"]) == (EARLY, LATE)


async def test_a_status_is_written_when_it_changed_and_only_then(client, api, wanted):
    wanted()
    service = await client.get(WAKALASERVICE, api.namespace, "a")
    status = {"observedGeneration": 1, "replicas": 2, "selector": "a=b"}
    written = await write_status(client, service, status)
    assert written is not None
    assert written["status"] == status
    since = position(api.cluster.audit_log)
    assert await write_status(client, written, status) is None
    assert writes(api.cluster.audit_log, since, namespace=api.namespace) == []
    smaller = await write_status(client, written, {"observedGeneration": 1})
    assert smaller is not None
    assert smaller["status"] == {"observedGeneration": 1}


async def test_the_status_of_a_service_made_anew_is_not_the_old_ones(client, api, wanted):
    wanted()
    service = await client.get(WAKALASERVICE, api.namespace, "a")
    stale = service | {"metadata": service["metadata"] | {"uid": "another"}}
    with pytest.raises(Conflict):
        await write_status(client, stale, {"observedGeneration": 1})
