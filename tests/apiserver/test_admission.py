"""What admission makes of our values: remembered with one write, fought never."""

import asyncio

import pytest

from tests.support.api import Refused
from tests.support.audit import position, writes
from tests.support.until import until
from wakala_operator.cluster.apply import put
from wakala_operator.judge.plan import Apply, Keep, plan_child

ROOT = "apis/admissionregistration.k8s.io/v1"
REWRITE = (
    "Object{spec: Object.spec{ports: [Object.spec.ports{port: object.spec.ports[0].port, "
    "protocol: 'TCP', appProtocol: 'rewritten'}]}}"
)


@pytest.fixture
def rewritten(api):
    """A policy of this namespace that rewrites the appProtocol of every Service."""
    namespace = {"matchLabels": {"kubernetes.io/metadata.name": api.namespace}}
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["services"],
    }
    policy = {
        "metadata": {"name": api.namespace},
        "spec": {
            "matchConstraints": {"namespaceSelector": namespace, "resourceRules": [rule]},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": REWRITE}}
            ],
        },
    }
    binding = {"metadata": {"name": api.namespace}, "spec": {"policyName": api.namespace}}
    api.call("POST", f"{ROOT}/mutatingadmissionpolicies", policy)
    api.call("POST", f"{ROOT}/mutatingadmissionpolicybindings", binding)
    until(lambda: _acts(api))
    yield api
    api.call("DELETE", f"{ROOT}/mutatingadmissionpolicybindings/{api.namespace}")
    api.call("DELETE", f"{ROOT}/mutatingadmissionpolicies/{api.namespace}")


def _acts(api):
    probe = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "probe"},
        "spec": {"ports": [{"port": 1, "protocol": "TCP"}]},
    }
    try:
        made = api.create(probe, dryRun="All")
    except Refused:
        return False
    return made["spec"]["ports"][0].get("appProtocol") == "rewritten"


def written(api, since):
    return len(writes(api.cluster.audit_log, since, namespace=api.namespace))


async def test_a_rewritten_value_is_accepted_and_a_new_wish_still_applied(
    client, rewritten, wanted
):
    obj = wanted()["Service"]
    since = position(rewritten.cluster.audit_log)
    done = await put(client, obj, None, adopter="a")
    assert done.created
    assert done.drift == ()
    assert done.live["spec"]["ports"][0]["appProtocol"] == "rewritten"
    assert written(rewritten, since) == 2, "one to make it, one to remember what became of it"
    assert plan_child(obj, done.live) == Keep()
    moved = wanted(port=9000)["Service"]
    done = await put(client, moved, done.live, adopter="a")
    assert done.live["spec"]["ports"][0]["port"] == 9000
    assert plan_child(moved, done.live) == Keep()


async def test_what_somebody_changes_beside_it_is_still_put_right(client, rewritten, wanted):
    obj = wanted()["Service"]
    await put(client, obj, None, adopter="a")
    change = {"spec": {"selector": {"wakala.com/service": "b"}}}
    live = await asyncio.to_thread(rewritten.patch, "Service", "a", change)
    step = plan_child(obj, live)
    assert isinstance(step, Apply)
    assert "spec.selector.wakala.com/service" in [found.path for found in step.drift]
    done = await put(client, obj, live, adopter="a")
    assert done.live["spec"]["selector"] == obj["spec"]["selector"]
    assert plan_child(obj, done.live) == Keep()


async def test_a_crash_before_it_was_remembered_converges(client, rewritten, wanted):
    obj = wanted()["Service"]

    class Crash(Exception):
        """The process is gone."""

    class Dying:
        """The client of a process that dies before its second write."""

        left = 1

        def __getattr__(self, name):
            return getattr(client, name)

        async def apply(self, *args, **more):
            if not self.left:
                raise Crash
            self.left -= 1
            return await client.apply(*args, **more)

    with pytest.raises(Crash):
        await put(Dying(), obj, None, adopter="a")
    done = await put(client, obj, None, adopter="a")
    assert plan_child(obj, done.live) == Keep()
