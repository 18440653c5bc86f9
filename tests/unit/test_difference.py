"""Which differences are differences."""

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakala_operator.judge.difference import (
    Difference,
    describe,
    differences,
    digest,
    digest_of,
    other_managers,
    owns,
)


def paths(wanted, live):
    return [found.path for found in differences(wanted, live)]


def in_container(field, value):
    return {"spec": {"containers": [{"name": "api", field: value}]}}


SAME = [
    ({"limits": {"cpu": "1000m"}}, {"limits": {"cpu": "1"}}),
    ({"limits": {"cpu": "0.5"}}, {"limits": {"cpu": "500m"}}),
    ({"limits": {"cpu": 1}}, {"limits": {"cpu": "1"}}),
    ({"limits": {"cpu": 0.5}}, {"limits": {"cpu": "500m"}}),
    ({"requests": {"memory": "1Gi"}}, {"requests": {"memory": "1024Mi"}}),
    ({"requests": {"memory": "1e3"}}, {"requests": {"memory": "1k"}}),
    ({"emptyDir": {"sizeLimit": "1Gi"}}, {"emptyDir": {"sizeLimit": "1024Mi"}}),
    ({"resourceFieldRef": {"divisor": 1}}, {"resourceFieldRef": {"divisor": "1"}}),
    ({"value": ""}, {}),
    ({}, {"value": ""}),
    ({"annotations": {}}, {}),
    ({"items": []}, {}),
    ({"command": None}, {"command": ["sh"]}),
    ({"minReadySeconds": 0}, {}),
    ({"hostNetwork": False}, {}),
    ({"a": {"b": 1}}, {"a": {"b": 1, "added by others": 2}}),
    ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "protocol": "TCP"}]}),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "a", "operator": "Equal"}]}),
]


@pytest.mark.parametrize(("wanted", "live"), SAME, ids=[json.dumps(case) for case in SAME])
def test_another_spelling_is_no_difference(wanted, live):
    assert paths(wanted, live) == []


DIFFERENT = [
    ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, "limits.cpu"),
    ({"limits": {"cpu": "1"}}, {"limits": {}}, "limits.cpu"),
    ({"limits": {"cpu": "nonsense"}}, {"limits": {"cpu": "1"}}, "limits.cpu"),
    ({"labels": {"tier": "1000m"}}, {"labels": {"tier": "1"}}, "labels.tier"),
    ({"port": 80}, {"port": "80"}, "port"),
    ({"maxSurge": "25%"}, {"maxSurge": 25}, "maxSurge"),
    ({"flag": True}, {"flag": 1}, "flag"),
    ({"automountServiceAccountToken": False}, {}, "automountServiceAccountToken"),
    ({"replicas": 0}, {}, "replicas"),
    ({"minReadySeconds": 0}, {"minReadySeconds": 5}, "minReadySeconds"),
    ({"value": ""}, {"value": "x"}, "value"),
    ({"items": []}, {"items": ["x"]}, "items"),
    ({"args": ["a", "b"]}, {"args": ["b", "a"]}, "args[0]"),
    ({"args": ["a"]}, {"args": ["a", "b"]}, "args"),
    ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, "tolerations[0].key"),
    ({"a": {"b": 1}}, {"a": 1}, "a"),
    ({"a": [1]}, {"a": {"b": 1}}, "a"),
]


@pytest.mark.parametrize(
    ("wanted", "live", "where"), DIFFERENT, ids=[json.dumps(case[:2]) for case in DIFFERENT]
)
def test_a_difference_is_seen_where_it_is(wanted, live, where):
    assert where in paths(wanted, live)


KEYED = [
    ("containers", {"name": "api"}, "image"),
    ("initContainers", {"name": "api"}, "image"),
    ("volumes", {"name": "tmp"}, "kind"),
    ("env", {"name": "A"}, "value"),
    ("imagePullSecrets", {"name": "pull"}, "x"),
    ("volumeMounts", {"mountPath": "/cache"}, "name"),
    ("ports", {"containerPort": 80, "protocol": "UDP"}, "name"),
    ("ports", {"port": 80, "protocol": "TCP"}, "targetPort"),
    (
        "topologySpreadConstraints",
        {"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"},
        "maxSkew",
    ),
    ("ownerReferences", {"uid": "u"}, "name"),
    ("hostAliases", {"ip": "10.0.0.1"}, "hostnames"),
]


@pytest.mark.parametrize(("name", "key", "leaf"), KEYED)
def test_items_of_a_keyed_list_are_found_wherever_they_stand(name, key, leaf):
    """A sidecar, or any item that somebody else added, shifts positions and is nobody's drift."""
    other = {part: "other" if isinstance(value, str) else 1 for part, value in key.items()}
    wanted = {name: [key | {leaf: "w"}]}
    assert paths(wanted, {name: [other, key | {leaf: "w"}]}) == []
    first = next(iter(key.values()))
    assert paths(wanted, {name: [other, key | {leaf: "l"}]}) == [f"{name}[{first}].{leaf}"]
    assert paths(wanted, {name: [other]}) == [f"{name}[{first}]"]


def test_one_port_under_two_protocols_is_two_items():
    dns = [
        {"port": 53, "protocol": "TCP", "name": "a"},
        {"port": 53, "protocol": "UDP", "name": "b"},
    ]
    assert paths({"ports": dns}, {"ports": dns[::-1]}) == []


@pytest.mark.parametrize("side", ["ingress", "egress"])
def test_a_hole_in_a_network_policy_is_seen(side):
    """A peer widened by one more selector has every wanted leaf, and lets more in."""
    peer = {"podSelector": {"matchLabels": {"a": "b"}}}
    wanted = {"spec": {side: [{"from": [peer]}]}}
    wider = {"spec": {side: [{"from": [peer | {"namespaceSelector": {}}]}]}}
    assert paths(wanted, wider) == [f"spec.{side}"]
    assert paths(wanted, copy.deepcopy(wanted)) == []


def test_values_that_may_be_secret_are_not_repeated():
    wanted = {
        "spec": {"containers": [{"name": "api", "image": "a", "env": [], "args": ["--pw=one"]}]}
    }
    wanted["spec"]["containers"][0]["env"] = [{"name": "PASSWORD", "value": "hunter2"}]
    live = copy.deepcopy(wanted)
    live["spec"]["containers"][0]["env"][0]["value"] = "hunter3"
    live["spec"]["containers"][0]["args"][0] = "--pw=two"
    live["spec"]["containers"][0]["image"] = "b" * 100
    said = [describe(found) for found in differences(wanted, live)]
    assert said == [
        f'spec.containers[api].image is "{"b" * 58}… instead of "a"',
        "spec.containers[api].env[PASSWORD].value",
        "spec.containers[api].args[0]",
    ]
    [whole] = differences(wanted["spec"], {"containers": []})
    assert describe(whole) == "containers[api]"


def test_an_absent_value_is_named_absent():
    [found] = differences({"spec": {"replicas": 3}}, {"spec": {}})
    assert describe(found) == "spec.replicas is absent instead of 3"


def test_the_digest_sees_a_set_that_shrank_and_passes_over_our_bookkeeping():
    wanted = {"metadata": {"annotations": {"a": "b"}}, "spec": {"x": 1, "y": 2}}
    smaller = {"metadata": {"annotations": {"a": "b"}}, "spec": {"x": 1}}
    noted = {"wakala.com/applied": "x", "wakala.com/accepted": "y", "a": "b"}
    assert digest(wanted) != digest(smaller)
    assert digest(wanted) == digest(wanted | {"metadata": {"annotations": noted}})
    assert len(digest(wanted)) == 16


def test_what_was_accepted_is_told_apart_by_place_and_value_not_by_order():
    one, two = Difference("a", 1, 2), Difference("b", 1, 2)
    assert digest_of([one, two]) == digest_of([two, one])
    assert digest_of([one]) != digest_of([two])
    assert digest_of([one]) != digest_of([Difference("a", 1, 3)])


def managed(manager, fields, operation="Apply", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields} | more


def test_only_an_apply_of_the_object_itself_holds_a_field():
    replicas = {"f:spec": {"f:replicas": {}}}
    for entry, holds in (
        (managed("us", replicas), True),
        (managed("us", {"f:spec": {"f:template": {}}}), False),
        (managed("us", replicas, "Update"), False),
        (managed("us", replicas, subresource="scale"), False),
        (managed("others", replicas), False),
    ):
        live = {"metadata": {"managedFields": [entry]}}
        assert owns(live, "us", "spec", "replicas") is holds, entry
    assert not owns({"metadata": {}}, "us", "spec", "replicas")


def test_who_holds_a_field_is_found_below_the_keys_of_its_list():
    """A mesh that holds its own sidecar's image is not blamed for ours."""
    wanted = in_container("image", "a")
    ours = {"f:spec": {"f:containers": {'k:{"name":"api"}': {".": {}, "f:image": {}}}}}
    side = {"f:spec": {"f:containers": {'k:{"name":"sidecar"}': {".": {}, "f:image": {}}}}}
    live = {
        "metadata": {
            "managedFields": [
                managed("wakala-operator", ours),
                managed("mesh", side, "Update"),
                managed("older", ours, "Update", time="2026-01-01T00:00:00Z"),
                managed("newer", ours, "Update", time="2026-01-02T00:00:00Z"),
            ]
        }
    } | in_container("image", "b")
    [found] = differences(wanted, live)
    assert other_managers(live, found, "wakala-operator") == ["newer", "older"]


def test_who_holds_an_atomic_list_holds_its_items():
    wanted = {"metadata": {"annotations": {"wakala.com/x": "1"}}, "spec": {"args": ["a"]}}
    live = {
        "metadata": {
            "managedFields": [
                managed("annotator", {"f:metadata": {"f:annotations": {"f:wakala.com/x": {}}}}),
                managed("editor", {"f:spec": {"f:args": {}}}, "Update"),
            ]
        },
        "spec": {"args": ["b"]},
    }
    annotation, args = differences(wanted, live)
    assert other_managers(live, annotation, "us") == ["annotator"]
    assert other_managers(live, args, "us") == ["editor"]


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("env", {"name": ["x"]}),
        ("ports", {"containerPort": {"a": 1}}),
        ("ports", {"containerPort": 80, "protocol": ["TCP"]}),
    ],
)
def test_a_key_that_is_no_key_is_a_difference_and_no_fault(name, item):
    """A patch of the template may hold anything; the API server is to refuse it, in its words."""
    live = {name: [{"name": "x", "containerPort": 80, "protocol": "TCP"}]}
    assert differences({name: [item]}, live) != []


LEAVES = st.one_of(st.booleans(), st.integers(-5, 5), st.text(max_size=4))
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["a", "b", "env", "name", "ports", "limits"]), inner),
    ),
    max_leaves=12,
)


@given(OBJECTS)
def test_nothing_differs_from_itself_and_more_is_no_difference(value):
    assert differences({"spec": value}, {"spec": copy.deepcopy(value), "more": 1}) == []


@given(OBJECTS, OBJECTS)
def test_any_two_documents_can_be_compared_and_described(wanted, live):
    for found in differences({"spec": wanted}, {"spec": live}):
        assert describe(found).startswith("spec")
        assert other_managers({"metadata": {}}, found, "us") == []
