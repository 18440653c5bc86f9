"""A process that leads again believes nothing that it knew when it led before."""

import signal
from pathlib import Path

from tests.chaos.conftest import ready, small
from tests.support.api import Api
from tests.support.operator import Operator, settle
from tests.support.until import until

LEASE = "takeover"
TAKEOVER = 15.0


def holder(api: Api) -> str:
    found = Api(api.cluster, "default").get("Lease", LEASE)
    return str(found["spec"].get("holderIdentity") or "") if found else ""


def test_a_secret_that_changed_meanwhile_rolls_nothing_back(api: Api, tmp_path: Path) -> None:
    """The other process rolled the pods out for it; who leads again within a minute must not undo that."""
    own = {"watch_namespaces": api.namespace, "lease": LEASE, "references_seconds": "60"}
    first = Operator(api.cluster.kubeconfig, tmp_path / "first", **own)
    until(lambda: holder(api))
    identity = holder(api)
    second = Operator(api.cluster.kubeconfig, tmp_path / "second", **own)
    try:
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}}
        api.create(secret | {"stringData": {"url": "one"}})
        api.create(small("a", database={"connection": {"secretName": "db"}}))
        until(lambda: ready(api, "a"))
        first.process.send_signal(signal.SIGSTOP)
        api.patch("Secret", "db", {"stringData": {"url": "two"}})
        until(lambda: len(api.list("ReplicaSet")) == 2, within=TAKEOVER)
        until(lambda: ready(api, "a"))
        template = api.get("Deployment", "a")["spec"]["template"]
        second.kill()
        first.process.send_signal(signal.SIGCONT)
        until(lambda: holder(api) == identity, within=TAKEOVER)
        settle(2)
        assert api.get("Deployment", "a")["spec"]["template"] == template
    finally:
        first.process.send_signal(signal.SIGCONT)
        first.stop()
        second.kill()
