"""Two operators, one that writes: who dies, who stops, who wakes up, and what is sent meanwhile."""

import asyncio
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from tests.support.api import Api, condition, service
from tests.support.audit import entries, position
from tests.support.operator import Operator, settle
from tests.support.until import until
from wakala_operator.cluster.connection import connected
from wakala_operator.cluster.errors import NotLeading
from wakala_operator.cluster.lease import DURATION, Claim, Election, lead
from wakala_operator.kinds import CONFIG_MAP

TAKEOVER = 15.0
"""Seconds after a crash in which the other must have taken over."""
WRITES = {"create", "update", "patch", "delete"}


class Pair:
    """Two operators that share a Lease and look after one namespace."""

    def __init__(self, api: Api, folder: Path) -> None:
        self.api = Api(api.cluster, "default")
        self.lease = f"pair-{uuid.uuid4().hex[:8]}"
        shared = {"lease": self.lease, "watch_namespaces": api.namespace, "operator_class": "pair"}
        self.both = [Operator(api.cluster.kubeconfig, folder / f"log{n}", **shared) for n in (1, 2)]
        until(self.holder)
        self.leader, self.standby = self._sorted()

    def holder(self) -> str:
        """Who holds the Lease; "" when nobody does."""
        found = self.api.get("Lease", self.lease)
        return str(found["spec"].get("holderIdentity") or "") if found else ""

    def _sorted(self) -> tuple[Operator, Operator]:
        one, two = self.both
        until(lambda: leads(one) or leads(two))
        return (one, two) if leads(one) else (two, one)

    def writes_of(self, identity: str, since: int) -> list[str]:
        """What a process wrote, the Lease aside."""
        return [
            f"{e['verb']} {e['objectRef']['resource']} {e['objectRef'].get('name')}"
            for e in entries(self.api.cluster.audit_log, since)
            if e["verb"] in WRITES
            and identity in e.get("userAgent", "")
            and e["objectRef"]["resource"] != "leases"
        ]


def leads(operator: Operator) -> bool:
    return any("this process leads:" in line for line in operator.lines())


def ours(name: str, **spec: Any) -> dict[str, Any]:
    return service(name, operatorClass="pair", replicas=0, **spec)


def ready(api: Api, name: str) -> bool:
    found = api.get("WakalaService", name)
    told = condition(found, "Ready")
    generation = found["metadata"]["generation"]
    return bool(told.get("status") == "True" and told["observedGeneration"] == generation)


@pytest.fixture
def pair(api: Api, tmp_path: Path) -> Iterator[Pair]:
    found = Pair(api, tmp_path)
    yield found
    for operator in found.both:
        if operator.process.poll() is None:
            operator.process.send_signal(signal.SIGCONT)
            assert operator.stop() == 0
        assert operator.tracebacks() == []


def test_only_the_holder_writes_and_the_other_is_warm(pair: Pair, api: Api) -> None:
    leader = pair.holder()
    since = position(api.cluster.audit_log)
    api.create(ours("a"))
    until(lambda: ready(api, "a"))
    settle(2)
    written = [
        e for e in entries(api.cluster.audit_log, since)
        if e["verb"] in WRITES
        and "wakala-operator/" in e.get("userAgent", "")
        and e["objectRef"].get("namespace") == api.namespace
    ]  # fmt: skip
    assert {e["userAgent"].split("/")[1] for e in written} == {leader}
    assert not leads(pair.standby)


def test_after_a_crash_the_other_takes_over_in_time(pair: Pair, api: Api) -> None:
    api.create(ours("a"))
    until(lambda: ready(api, "a"))
    dead = pair.holder()
    pair.leader.kill()
    api.patch("WakalaService", "a", {"spec": {"port": 9000}})
    api.create(ours("b"))
    until(lambda: ready(api, "a") and ready(api, "b"), within=TAKEOVER)
    assert pair.holder() != dead


def test_after_a_clean_stop_the_other_takes_over_at_once(pair: Pair, api: Api) -> None:
    first = pair.holder()
    began = time.monotonic()
    assert pair.leader.stop() == 0
    api.create(ours("a"))
    until(lambda: ready(api, "a"), within=5)
    assert time.monotonic() - began < DURATION / 2
    assert pair.holder() not in ("", first)


def test_who_was_stopped_beyond_the_lease_sends_nothing_after_waking(pair: Pair, api: Api) -> None:
    """It wakes up with a claim that has run out and twenty edits to hear of.

    Stopped amid its work it may still send what lay between the question and the socket: see decision 0016.
    """
    stopped = pair.holder()
    for number in range(20):
        api.create(ours(f"s{number}"))
    until(lambda: all(ready(api, f"s{n}") for n in range(20)), within=30)
    settle(1)
    pair.leader.process.send_signal(signal.SIGSTOP)
    until(lambda: pair.holder() not in ("", stopped), within=TAKEOVER)
    for number in range(20):
        api.patch("WakalaService", f"s{number}", {"spec": {"port": 9000}})
    since = position(api.cluster.audit_log)
    pair.leader.process.send_signal(signal.SIGCONT)
    until(lambda: any("leads no longer" in line for line in pair.leader.lines()), within=20)
    settle(2)
    assert pair.writes_of(stopped, since) == []
    assert all(ready(api, f"s{n}") for n in range(20))
    pair.standby.kill()
    api.patch("WakalaService", "s0", {"spec": {"port": 9001}})
    until(lambda: ready(api, "s0"), within=TAKEOVER)
    assert pair.holder() == stopped, "it stood by, and leads again"


def test_a_lease_taken_by_force_ends_the_writing(pair: Pair, api: Api) -> None:
    """Somebody edits the Lease: whoever held it heeds that, and nobody writes until it runs out."""
    held = pair.holder()
    pair.api.patch("Lease", pair.lease, {"spec": {"holderIdentity": "somebody"}})
    until(lambda: any("leads no longer" in line for line in pair.leader.lines()))
    since = position(api.cluster.audit_log)
    api.create(ours("a"))
    settle(3)
    assert pair.writes_of(held, since) == []
    until(lambda: ready(api, "a"), within=TAKEOVER)


@pytest.fixture
def lease_name() -> str:
    return f"lease-{uuid.uuid4().hex[:8]}"


async def test_when_the_writer_dies_the_lease_is_given_back(
    cluster: Cluster, lease_name: str
) -> None:
    """The fault is raised in the work itself: a real one can't be had on demand."""

    async def work() -> None:
        await asyncio.sleep(0.1)
        raise ZeroDivisionError

    claim = Claim("dies")
    async with connected(str(cluster.kubeconfig), may_write=claim.holds) as client:
        with pytest.raises(ExceptionGroup) as died:
            await lead(Election(client, "default", lease_name, claim), work)
    assert died.group_contains(ZeroDivisionError)
    assert not claim.holds()
    assert Api(cluster).get("Lease", lease_name)["spec"].get("holderIdentity") in ("", None)


async def test_when_the_renewals_die_the_writer_is_ended(
    cluster: Cluster, lease_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fault is planted: a renewer that fails in a way that nobody foresaw."""
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def keep(_: Election) -> None:
        await asyncio.sleep(0.1)
        raise ZeroDivisionError

    monkeypatch.setattr(Election, "keep", keep)
    claim = Claim("dies")
    async with connected(str(cluster.kubeconfig), may_write=claim.holds) as client:
        with pytest.raises(ExceptionGroup):
            await lead(Election(client, "default", lease_name, claim), work)
    assert ended.is_set()


async def test_without_a_claim_no_write_is_sent_and_reading_goes_on(cluster: Cluster) -> None:
    claim = Claim("never")
    wanted = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "never", "namespace": "default"},
    }
    async with connected(
        str(cluster.kubeconfig), identity="never", may_write=claim.holds
    ) as client:
        for write in (
            client.apply(wanted),
            client.create(CONFIG_MAP, wanted),
            client.replace(CONFIG_MAP, wanted),
        ):
            with pytest.raises(NotLeading):
                await write
        assert (await client.list(CONFIG_MAP, "default")).items
    assert Api(cluster).get("ConfigMap", "never") is None
