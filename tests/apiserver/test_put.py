"""One child brought to what is wanted, and nobody else's object touched."""

import asyncio
import copy

import pytest

from tests.support.audit import position, writes
from tests.support.until import until
from wakala_operator.cluster.apply import NameTaken, Scale, put
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
            {"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}},
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
                    "ports": [{"containerPort": 9000}],
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
        before = await ask(api.get, kind, obj["metadata"]["name"])
        with pytest.raises(NameTaken) as refused:
            await put(client, obj, None, adopter="a")
        assert f"{kind} {obj['metadata']['name']} was made by somebody else" in str(refused.value)
        assert "wakala.com/adopt: a" in str(refused.value)
        after = await ask(api.get, kind, obj["metadata"]["name"])
        assert after["metadata"]["managedFields"][0] == before["metadata"]["managedFields"][0]
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
        api.patch, "Service", "a", {"spec": {"ports": [{"port": 1, "targetPort": 2}]}}
    )
    since = position(api.cluster.audit_log)
    done = await put(client, obj, changed, adopter="a")
    assert [found.path for found in done.drift] == ["spec.ports[8000]"]
    assert done.live["spec"]["ports"] == obj["spec"]["ports"]
    assert len(written(api, since)) == 1


class TestHandOver:
    """`spec.replicas` between us and an autoscaler, whatever step a crash comes after."""

    SCALE = Scale(3, 9)

    @staticmethod
    def holders(live):
        return {
            entry["manager"]
            for entry in live["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }

    async def test_a_new_one_starts_at_the_minimum(self, client, api, wanted):
        obj = wanted(autoscaling={"minReplicas": 3, "maxReplicas": 9})["Deployment"]
        done = await put(client, obj, None, adopter="a", scale=self.SCALE)
        assert done.created
        assert done.handed_over == 3
        assert done.live["spec"]["replicas"] == 3
        assert self.holders(done.live) == {"wakala-operator-handover"}
        assert plan_child(obj, done.live) == Keep()

    @pytest.mark.parametrize("dies_after", [1, 2, 3, 4])
    @pytest.mark.parametrize("begins", ["new", "fixed"])
    async def test_a_crash_between_any_two_writes_converges_without_a_dip(
        self, client, api, wanted, begins, dies_after
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
        try:
            await put(Dying(dies_after - 1), auto, None, adopter="a", scale=self.SCALE)
        except Crash:
            pass
        done = await put(Dying(9), auto, None, adopter="a", scale=self.SCALE)
        assert set(counts) == {5 if begins == "fixed" else 3}
        assert self.holders(done.live) == {"wakala-operator-handover"}
        assert plan_child(auto, done.live) == Keep()

    async def test_a_count_that_changed_since_we_looked_is_not_set_back(self, client, api, wanted):
        fixed, auto = wanted(replicas=4)["Deployment"], wanted(autoscaling={"maxReplicas": 9})
        seen = (await put(client, fixed, None, adopter="a")).live
        await ask(api.patch, "Deployment", "a", {"spec": {"replicas": 8}}, sub="scale")
        done = await put(client, auto["Deployment"], seen, adopter="a", scale=self.SCALE)
        assert done.live["spec"]["replicas"] == 8

    async def test_back_to_a_fixed_count_is_taken_by_force(self, client, api, wanted):
        auto = wanted(autoscaling={"minReplicas": 3, "maxReplicas": 9})["Deployment"]
        live = (await put(client, auto, None, adopter="a", scale=self.SCALE)).live
        live = await ask(api.patch, "Deployment", "a", {"spec": {"replicas": 8}}, sub="scale")
        live = await client.get(DEPLOYMENT, api.namespace, "a")
        done = await put(client, wanted(replicas=6)["Deployment"], live, adopter="a")
        assert done.live["spec"]["replicas"] == 6
        assert self.holders(done.live) == {"wakala-operator"}
