"""The picture in memory, whatever order its news comes in."""

import itertools

import pytest

from wakala_operator.kinds import DEPLOYMENT, POD, SERVICE, WAKALASERVICE
from wakala_operator.observe.store import MOST_TOMBSTONES, Store

UID = "service-uid"


def obj(version, name="a", *, namespace="n", uid="u", owner=None, **metadata):
    owners = [{"kind": "WakalaService", "name": "a", "uid": owner, "controller": True}]
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": uid,
            "resourceVersion": str(version),
            "ownerReferences": owners if owner else [],
        }
        | metadata
    }


def seen(store, name="a"):
    found = store.get(SERVICE, "n", name)
    return found and int(found["metadata"]["resourceVersion"])


EVENTS = [("ADDED", 5), ("MODIFIED", 9), ("MODIFIED", 10), ("DELETED", 11)]


@pytest.mark.parametrize("order", list(itertools.permutations(EVENTS)), ids=str)
def test_a_deleted_object_stays_deleted_in_whatever_order_the_news_come(order):
    store = Store()
    for event, version in order:
        store.saw(SERVICE, event, obj(version))
    assert seen(store) is None


def test_versions_are_numbers_not_text():
    store = Store()
    assert store.saw(SERVICE, "ADDED", obj(9))
    assert store.saw(SERVICE, "MODIFIED", obj(10))
    assert not store.saw(SERVICE, "MODIFIED", obj(9))
    assert not store.saw(SERVICE, "MODIFIED", obj(10))
    assert seen(store) == 10


def test_a_namesake_made_anew_survives_the_late_deletion_of_the_first():
    store = Store()
    store.saw(SERVICE, "ADDED", obj(5, uid="first"))
    store.saw(SERVICE, "ADDED", obj(8, uid="second"))
    assert not store.saw(SERVICE, "DELETED", obj(7, uid="first"))
    assert seen(store) == 8


def test_an_object_can_come_back_after_its_deletion():
    store = Store()
    store.saw(SERVICE, "ADDED", obj(5, uid="first"))
    assert store.saw(SERVICE, "DELETED", obj(7, uid="first"))
    assert store.saw(SERVICE, "ADDED", obj(8, uid="second"))
    assert seen(store) == 8


def test_a_list_drops_what_is_gone_and_keeps_what_is_newer():
    store = Store()
    for name, version in (("ghost", 5), ("kept", 6), ("made after the list", 30)):
        store.saw(SERVICE, "ADDED", obj(version, name))
    store.saw(POD, "ADDED", obj(5, "of another kind"))
    store.saw(SERVICE, "ADDED", obj(5, "elsewhere", namespace="other"))
    told = store.listed(SERVICE, "n", [obj(6, "kept"), obj(7, "new")], "20")
    assert sorted(item["metadata"]["name"] for item in told) == ["ghost", "new"]
    assert seen(store, "ghost") is None
    assert [seen(store, name) for name in ("kept", "new", "made after the list")] == [6, 7, 30]
    assert store.get(POD, "n", "of another kind")
    assert store.get(SERVICE, "other", "elsewhere")


def test_a_list_that_is_older_than_the_watch_changes_nothing():
    store = Store()
    store.saw(SERVICE, "ADDED", obj(5))
    store.saw(SERVICE, "MODIFIED", obj(30))
    assert store.listed(SERVICE, None, [obj(5)], "20") == []
    assert seen(store) == 30


def test_an_old_event_does_not_bring_back_what_a_list_dropped():
    store = Store()
    store.saw(SERVICE, "ADDED", obj(5))
    store.listed(SERVICE, None, [], "20")
    assert not store.saw(SERVICE, "MODIFIED", obj(6))
    assert seen(store) is None


def test_children_are_found_by_their_controller():
    store = Store()
    store.saw(WAKALASERVICE, "ADDED", obj(1, uid=UID))
    store.saw(SERVICE, "ADDED", obj(5, owner=UID))
    store.saw(DEPLOYMENT, "ADDED", obj(6, owner=UID))
    store.saw(SERVICE, "ADDED", obj(7, "b", owner="another"))
    assert [child["kind"] for child in store.children(UID)] == ["Deployment", "Service"]
    store.saw(SERVICE, "MODIFIED", obj(8))
    assert [child["kind"] for child in store.children(UID)] == ["Deployment"]
    store.saw(DEPLOYMENT, "DELETED", obj(9, owner=UID))
    assert store.children(UID) == []


def test_an_object_in_another_namespace_can_not_pass_for_a_child():
    """Anybody may write an owner reference with somebody else's UID on an object of their own."""
    store = Store()
    store.saw(DEPLOYMENT, "ADDED", obj(5, namespace="mallory", owner=UID))
    store.saw(WAKALASERVICE, "ADDED", obj(1, uid=UID))
    assert store.children(UID) == []
    store.saw(DEPLOYMENT, "ADDED", obj(6, owner=UID))
    assert [child["metadata"]["namespace"] for child in store.children(UID)] == ["n"]


def test_managers_are_kept_where_somebody_asks_for_them():
    entries = [
        {"manager": "wakala-operator"},
        {"manager": "editor"},
        {"manager": "kube-controller-manager", "subresource": "status"},
    ]
    for kind, kept in (
        (DEPLOYMENT, ["wakala-operator", "editor"]),
        (SERVICE, ["editor"]),
        (WAKALASERVICE, []),
    ):
        store = Store()
        store.saw(kind, "ADDED", obj(5, managedFields=entries))
        found = store.get(kind, "n", "a")
        assert found is not None
        assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == kept


def test_the_memory_of_the_dead_is_bounded():
    store = Store()
    for number in range(MOST_TOMBSTONES + 10):
        store.saw(SERVICE, "DELETED", obj(5, f"name-{number}"))
    assert len(store._gone) == MOST_TOMBSTONES
