"""What is done with each child, decided without a cluster."""

import pytest

from wakala_operator.judge.plan import (
    Apply,
    Create,
    Keep,
    accepting,
    hand_over,
    plan_child,
    plan_prune,
    stamped,
    with_replicas,
)

UID = "service-uid"


def child(**spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "namespace": "n"},
        "spec": {"image": "one"} | spec,
    }


def live(obj, **spec):
    """The object as the API server would have it, with a default and a change of somebody's."""
    metadata = obj["metadata"] | {"uid": "child-uid", "resourceVersion": "7"}
    return obj | {"metadata": metadata, "spec": {"default": 1} | obj["spec"] | spec}


def test_what_is_not_there_is_made():
    step = plan_child(child(), None)
    assert isinstance(step, Create)
    assert step.wanted == stamped(child())


def test_what_is_as_wanted_is_kept():
    assert plan_child(child(), live(stamped(child()))) == Keep()


def test_what_somebody_changed_is_put_right_and_named():
    step = plan_child(child(), live(stamped(child()), image="two"))
    assert isinstance(step, Apply)
    assert [found.path for found in step.drift] == ["spec.image"]


def test_a_changed_wish_is_applied_and_is_nobodys_drift():
    assert plan_child(child(image="two"), live(stamped(child()))) == Apply(
        stamped(child(image="two")), ()
    )


def test_a_field_we_no_longer_ask_for_is_applied_although_no_leaf_differs():
    assert plan_child(child(), live(stamped(child(extra=1)))) == Apply(stamped(child()), ())


def test_what_admission_made_is_accepted_once_and_then_kept():
    made = live(stamped(child()), image="mirror/one")
    again = accepting(child(), made)
    assert again is not None
    settled = live(again, image="mirror/one")
    assert accepting(child(), settled) is None
    assert plan_child(child(), settled) == Keep()


def test_what_was_accepted_does_not_cover_another_change():
    made = live(stamped(child()), image="mirror/one")
    again = accepting(child(), made)
    assert again is not None
    assert isinstance(plan_child(child(), live(again, image="evil/one")), Apply)
    assert isinstance(plan_child(child(image="two"), live(again, image="mirror/one")), Apply)


def test_without_differences_there_is_nothing_to_accept():
    assert accepting(child(), live(stamped(child()))) is None


def owned(name, *, kind="Service", uid=UID, controller=True, **metadata):
    owner = {"kind": "WakalaService", "name": "a", "uid": uid, "controller": controller}
    metadata = {"name": name, "namespace": "n", "ownerReferences": [owner]} | metadata
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}


def test_only_our_own_children_that_nobody_wants_are_pruned():
    children = [
        owned("wanted"),
        owned("wanted", kind="ConfigMap"),
        owned("unwanted"),
        owned("of another service", uid="other"),
        owned("not controlled", controller=False),
        owned("nobodys", ownerReferences=[]),
        owned("going", deletionTimestamp="2026-01-01T00:00:00Z"),
    ]
    pruned = [
        (obj["kind"], obj["metadata"]["name"])
        for obj in plan_prune([owned("wanted")], children, UID)
    ]
    assert pruned == [("ConfigMap", "wanted"), ("Service", "unwanted")]


def held(manager, replicas, **more):
    entry = {
        "manager": manager,
        "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:replicas": {}}},
    } | more
    found = live(with_replicas(child(), replicas))
    found["metadata"]["managedFields"] = [entry]
    return found


@pytest.mark.parametrize(("replicas", "given"), [(1, 3), (3, 3), (5, 5), (9, 9), (50, 9), (0, 3)])
def test_the_live_count_within_bounds_is_handed_over(replicas, given):
    gift = hand_over(child(), held("wakala-operator", replicas), minimum=3, maximum=9)
    assert gift is not None
    assert gift["spec"] == {"replicas": given}
    assert gift["metadata"] == {
        "name": "a",
        "namespace": "n",
        "uid": "child-uid",
        "resourceVersion": "7",
    }


def test_nothing_is_handed_over_that_is_not_ours_to_give():
    bounds = {"minimum": 3, "maximum": 9}
    assert hand_over(child(), held("kubectl", 5), **bounds) is None
    assert hand_over(child(), held("wakala-operator-handover", 5), **bounds) is None
    assert hand_over(with_replicas(child(), 4), held("wakala-operator", 5), **bounds) is None
