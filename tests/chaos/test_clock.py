"""The wall clock jumps by a day, forwards and backwards, under an operator that runs: nothing happens.

Both processes reach the API server through the proxy, without TLS: a certificate that is not valid on that day is another
story.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from devcluster.cluster import Cluster
from tests.chaos.conftest import ready, small
from tests.chaos.faketime import environment
from tests.support.api import Api
from tests.support.audit import position, writes
from tests.support.operator import Operator, settle
from tests.support.proxy import Proxy
from tests.support.until import until
from wakala_operator.cluster.lease import DURATION

LEASE = "clock"
DAY = timedelta(days=1)
TAKEOVER = 15.0


class Pair:
    """Two operators that share a Lease, each with a wall clock of its own."""

    def __init__(self, api: Api, proxy: Proxy, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.api = Api(api.cluster, "default")
        shared = {"lease": LEASE, "watch_namespaces": api.namespace}
        self.clocks, self.both = [], []
        for name in ("leader", "standby"):
            clock = folder / f"{name}.clock"
            clock.write_text("+0")
            for variable, value in environment(clock).items():
                patch.setenv(variable, value)
            kubeconfig = proxy.kubeconfig(folder)
            self.both.append(Operator(kubeconfig, folder / f"{name}.log", **shared))
            self.clocks.append(clock)
            until(self.holder)
        self.leader, self.standby = self.both

    def lease(self) -> Any:
        found = self.api.get("Lease", LEASE)
        return found["spec"] if found else {}

    def holder(self) -> str:
        return str(self.lease().get("holderIdentity") or "")

    def ahead(self) -> timedelta:
        """How far the wall clock of the leader is ahead, by what it wrote into the Lease."""
        renewed = datetime.fromisoformat(self.lease()["renewTime"])
        return renewed - datetime.now(UTC)


@pytest.fixture
def pair(api: Api, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    found = Pair(api, proxy, tmp_path, monkeypatch)
    yield found
    for operator in found.both:
        if operator.process.poll() is None:
            assert operator.stop() == 0
        assert operator.tracebacks() == []


def test_the_wall_clock_jumps_a_day_and_nothing_happens(
    pair: Pair, api: Api, cluster: Cluster
) -> None:
    """First the leader alone goes ahead; then it falls behind, and the standby is two days ahead of it."""
    first = pair.holder()
    api.create(small("a"))
    until(lambda: ready(api, "a"))
    for port, (leader, standby) in enumerate([("+1d", "+0"), ("-1d", "+1d")], start=9000):
        pair.clocks[0].write_text(leader)
        pair.clocks[1].write_text(standby)
        wanted = DAY if leader == "+1d" else -DAY
        until(lambda wanted=wanted: abs(pair.ahead() - wanted) < DAY / 24)  # type: ignore[misc]
        since = position(cluster.audit_log)
        settle(DURATION + 2)
        written = writes(cluster.audit_log, since)
        assert [line for line in written if "leases/" not in line] == []
        assert pair.holder() == first
        api.patch("WakalaService", "a", {"spec": {"port": port}})
        until(lambda: ready(api, "a"), within=5)
        assert api.get("Service", "a")["spec"]["ports"][0]["port"] == port
    leads = [line for line in pair.standby.lines() if "this process leads" in line]
    assert leads == []
    pair.leader.kill()
    until(lambda: pair.holder() not in ("", first), within=TAKEOVER)
    assert pair.ahead() > DAY / 2, "it stood by, alive and with its wrong clock"
