"""One child brought to what is wanted, and nobody else's object touched."""

import asyncio
import copy

import pytest

from tests.support.audit import position, writes
from tests.support.until import until
from wakala_operator.cluster.apply import NameTaken, put
from wakala_operator.cluster.errors import Conflict, Invalid
from wakala_operator.judge.plan import Keep, plan_child
from wakala_operator.kinds import CHILDREN, DEPLOYMENT


def written(api, since):
    """Writes of ours in this test's namespace."""
    return writes(api.cluster.audit_log, since, namespace=api.namespace)


async def ask(question, *args, **more):
    """A question of the tests' own client, which blocks."""
    return await asyncio.to_thread(question, *args, **more)


RICH = {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 5, "scaleDownStabilizationSeconds": 0},
    "env": [
        {"name": "EMPTY", "value": ""},
        {
            "name": "KEY",
            "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": False}},
        },
    ],
    "envFrom": [{"configMapRef": {"name": "c"}}, {"prefix": "P_", "secretRef": {"name": "s"}}],
    "imagePullSecrets": [{"name": "one"}, {"name": "two"}],
    "resources": {
        "requests": {"cpu": "0.5", "memory": "1e9"},
        "limits": {"cpu": "1000m", "memory": "2048Mi"},
    },
    "rollout": {"minReadySeconds": 0, "maxSurge": "100%", "maxUnavailable": 0},
    "database": {"connection": {"secretName": "s", "key": "url", "caKey": "ca"}},
    "networkPolicy": {
        "from": [
            {
                "podSelector": {"matchLabels": {"a": "b"}},
                "namespaceSelector": {"matchLabels": {"c": "d"}},
            },
            {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        ],
        "egressPorts": [{"port": 443}, {"port": 8125, "protocol": "UDP"}],
    },
    "podTemplatePatch": {
        "spec": {
            "hostNetwork": False,
            "shareProcessNamespace": False,
            "initContainers": [{"name": "first", "image": "i", "tty": False}],
            "containers": [
                {
                    "name": "side",
                    "image": "s",
                    "resources": {"limits": {"cpu": 1, "memory": "0.5Gi"}},
                    "ports": [{"name": "side", "containerPort": 9000}],
                    "readinessProbe": {"tcpSocket": {"port": 9000}, "initialDelaySeconds": 0},
                    "volumeMounts": [{"name": "extra", "mountPath": "/x", "readOnly": False}],
                    "env": [
                        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
                    ],
                }
            ],
            "volumes": [{"name": "extra", "emptyDir": {"sizeLimit": "0.5Gi"}}],
        }
    },
}


@pytest.mark.parametrize("spec", [{}, RICH], ids=["plain", "rich"])
async def test_what_was_made_is_kept_in_whatever_spelling(client, api, wanted, spec):
    """Made with one write each, quiet from then on, and nothing of it has to be accepted."""
    for obj in wanted(**spec).values():
        since = position(api.cluster.audit_log)
        done = await put(client, obj, None, adopter="a")
        assert done.created, obj["kind"]
        assert plan_child(obj, done.live) == Keep(), obj["kind"]
        assert "wakala.com/accepted" not in done.live["metadata"]["annotations"], obj["kind"]
        await put(client, obj, done.live, adopter="a")
        assert len(written(api, since)) == 1, obj["kind"]


async def test_a_foreign_object_of_each_kind_is_not_touched(client, api, wanted):
    for kind, obj in wanted(autoscaling={"maxReplicas": 3}).items():
        foreign = copy.deepcopy(obj)
        del foreign["metadata"]["ownerReferences"]
        await ask(api.create, foreign)
        with pytest.raises(NameTaken) as refused:
            await put(client, obj, None, adopter="a")
        assert f"{kind} {obj['metadata']['name']} was made by somebody else" in str(refused.value)
        assert "wakala.com/adopt: a" in str(refused.value)
        after = await ask(api.get, kind, obj["metadata"]["name"])
        managers = {entry["manager"] for entry in after["metadata"]["managedFields"]}
        assert "wakala-operator" not in managers, kind
        assert "ownerReferences" not in after["metadata"]
    assert len(CHILDREN) == len(wanted(autoscaling={"maxReplicas": 3}))


async def test_an_object_whose_owner_offers_it_is_adopted(client, api, wanted):
    obj = wanted()["Deployment"]
    foreign = copy.deepcopy(obj)
    del foreign["metadata"]["ownerReferences"]
    foreign["metadata"]["annotations"] = {"wakala.com/adopt": "somebody"}
    foreign["spec"]["template"]["spec"]["containers"][0]["image"] = "old"
    await ask(api.create, foreign)
    with pytest.raises(NameTaken):
        await put(client, obj, None, adopter="a")
    await ask(
        api.patch, "Deployment", "a", {"metadata": {"annotations": {"wakala.com/adopt": "a"}}}
    )
    done = await put(client, obj, None, adopter="a")
    assert done.changed
    assert not done.created
    assert done.live["metadata"]["ownerReferences"] == obj["metadata"]["ownerReferences"]
    assert done.live["spec"]["template"]["spec"]["containers"][0]["image"] == "wakala/api:1.0.0"


@pytest.mark.parametrize("port", [{"name": "http", "port": 80}, {"port": 80}])
async def test_a_service_with_another_port_is_adopted_with_ours_alone(client, api, wanted, port):
    """Ours beside theirs would be refused: one name twice, or a port without a name among several."""
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a", "annotations": {"wakala.com/adopt": "a"}},
        "spec": {"ports": [port], "selector": {"x": "y"}},
    }
    await ask(api.create, foreign)
    done = await put(client, wanted()["Service"], None, adopter="a")
    assert [p["port"] for p in done.live["spec"]["ports"]] == [8000]
    assert plan_child(wanted()["Service"], done.live) == Keep()


async def test_an_object_that_another_controller_owns_is_not_adopted(client, api, wanted):
    obj = wanted()["ConfigMap"]
    holder = await ask(
        api.create,
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "holder"}, "data": {}},
    )
    foreign = copy.deepcopy(obj)
    foreign["metadata"] |= {
        "annotations": {"wakala.com/adopt": "a"},
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "name": "holder",
                "uid": holder["metadata"]["uid"],
                "controller": True,
            }
        ],
    }
    await ask(api.create, foreign)
    with pytest.raises(NameTaken, match="belongs to ConfigMap holder"):
        await put(client, obj, None, adopter="a")


async def test_an_adopted_object_that_can_not_become_ours_is_invalid(client, api, wanted):
    """A Deployment's selector can't be changed."""
    obj = wanted()["Deployment"]
    foreign = copy.deepcopy(obj)
    del foreign["metadata"]["ownerReferences"]
    foreign["metadata"]["annotations"] = {"wakala.com/adopt": "a"}
    foreign["spec"]["selector"] = {"matchLabels": {"other": "x"}}
    foreign["spec"]["template"]["metadata"]["labels"] = {"other": "x"}
    await ask(api.create, foreign)
    with pytest.raises(Invalid, match=r"spec\.selector: Invalid value: field is immutable"):
        await put(client, obj, None, adopter="a")


async def test_what_a_former_service_of_the_name_left_is_waited_for(client, api, wanted):
    """A service deleted and made anew at once: its old objects are still being collected."""
    obj = wanted()["Service"]
    await put(client, obj, None, adopter="a")
    anew = copy.deepcopy(obj)
    anew["metadata"]["ownerReferences"][0]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict, match="deleted WakalaService of the same name"):
        await put(client, anew, None, adopter="a")


async def test_a_namesake_made_since_we_looked_is_not_taken_for_ours(client, api, wanted):
    obj = wanted()["Deployment"]
    seen = (await put(client, obj, None, adopter="a")).live
    await ask(api.delete, "Deployment", "a")
    await ask(until, lambda: api.get("Deployment", "a") is None)
    foreign = copy.deepcopy(obj)
    del foreign["metadata"]["ownerReferences"]
    foreign["spec"]["template"]["spec"]["containers"][0]["image"] = "theirs"
    await ask(api.create, foreign)
    obj["spec"]["replicas"] = 7
    with pytest.raises(NameTaken):
        await put(client, obj, seen, adopter="a")
    left = await ask(api.get, "Deployment", "a")
    assert left["spec"]["template"]["spec"]["containers"][0]["image"] == "theirs"
    assert left["spec"]["replicas"] != 7


async def test_what_was_deleted_since_we_looked_is_made_again(client, api, wanted):
    obj = wanted()["Service"]
    seen = (await put(client, obj, None, adopter="a")).live
    await ask(api.delete, "Service", "a")
    obj["spec"]["ports"][0]["port"] = 9000
    done = await put(client, obj, seen, adopter="a")
    assert done.created
    assert done.live["metadata"]["uid"] != seen["metadata"]["uid"]


async def test_an_object_made_while_we_make_ours_is_not_taken_over(client, api, wanted):
    """The apply that makes a child does not force: a field with another value is a conflict."""
    obj = wanted()["Service"]
    foreign = copy.deepcopy(obj)
    del foreign["metadata"]["ownerReferences"]
    foreign["spec"]["ports"][0]["targetPort"] = 1

    class Raced:
        """The client, with somebody who is faster once: between the look and the write."""

        def __init__(self):
            self.raced = False

        def __getattr__(self, name):
            return getattr(client, name)

        async def apply(self, *args, **more):
            if not self.raced:
                self.raced = True
                await ask(api.create, foreign)
            return await client.apply(*args, **more)

    with pytest.raises(NameTaken):
        await put(Raced(), obj, None, adopter="a")
    left = await ask(api.get, "Service", "a")
    assert left["spec"]["ports"][0]["targetPort"] == 1
    assert "ownerReferences" not in left["metadata"]


async def test_a_field_we_no_longer_want_goes_and_what_others_added_stays(client, api, wanted):
    before = wanted(env=[{"name": "OURS", "value": "1"}])["Deployment"]
    await put(client, before, None, adopter="a")
    container = {"name": "api", "env": [{"name": "THEIRS", "value": "2"}]}
    await ask(
        api.apply,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "a"},
            "spec": {"template": {"spec": {"containers": [container]}}},
        },
        manager="sidecar-injector",
    )
    live = await client.get(DEPLOYMENT, api.namespace, "a")
    assert plan_child(before, live) == Keep(), "what others added is nobody's drift"
    done = await put(client, wanted()["Deployment"], live, adopter="a")
    names = [v["name"] for v in done.live["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert "OURS" not in names
    assert "THEIRS" in names


async def test_what_somebody_changed_is_put_right_with_one_write_and_named(client, api, wanted):
    obj = wanted()["Service"]
    await put(client, obj, None, adopter="a")
    changed = await ask(
        api.patch, "Service", "a", {"spec": {"selector": {"wakala.com/service": "b"}}}
    )
    since = position(api.cluster.audit_log)
    done = await put(client, obj, changed, adopter="a")
    assert [found.path for found in done.drift] == ["spec.selector.wakala.com/service"]
    assert done.live["spec"]["selector"] == obj["spec"]["selector"]
    assert len(written(api, since)) == 1


@pytest.mark.parametrize("name", ["http", "other", None])
async def test_a_service_port_that_was_moved_is_moved_back(client, api, wanted, name):
    """Their port stands beside ours for server-side apply, and the API server refuses the two of one name."""
    obj = wanted()["Service"]
    await put(client, obj, None, adopter="a")
    theirs = {"port": 1, "targetPort": 2} | ({"name": name} if name else {})
    changed = await ask(api.patch, "Service", "a", {"spec": {"ports": [theirs]}})
    done = await put(client, obj, changed, adopter="a")
    assert [found.path for found in done.drift] == ["spec.ports[8000]"]
    kept = [theirs["port"]] if name == "other" else []
    assert [port["port"] for port in done.live["spec"]["ports"]] == [*kept, 8000]
    assert done.live["spec"]["clusterIP"] == changed["spec"]["clusterIP"]
    moved = wanted(port=9000)["Service"]
    done = await put(client, moved, done.live, adopter="a")
    assert [port["port"] for port in done.live["spec"]["ports"]] == [*kept, 9000]


async def test_a_container_port_that_was_moved_is_moved_back(client, api, wanted):
    obj = wanted()["Deployment"]
    live = (await put(client, obj, None, adopter="a")).live
    template = copy.deepcopy(live["spec"]["template"])
    template["spec"]["containers"][0]["ports"][0]["containerPort"] = 9999
    changed = await ask(api.patch, "Deployment", "a", {"spec": {"template": template}})
    done = await put(client, obj, changed, adopter="a")
    [port] = done.live["spec"]["template"]["spec"]["containers"][0]["ports"]
    assert port["containerPort"] == 8000
