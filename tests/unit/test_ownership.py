"""Taking over, on paper, the items that stand in the place of ours."""

import copy

from wakala_operator.judge.difference import differences
from wakala_operator.judge.ownership import taken_over

OURS = 'k:{"port":8000,"protocol":"TCP"}'
THEIRS = 'k:{"port":9000,"protocol":"TCP"}'
WANTED = {"spec": {"selector": {"a": "b"}, "ports": [{"port": 8000, "protocol": "TCP"}]}}


def service(*entries, port=9000):
    return {
        "apiVersion": "v1",
        "metadata": {"managedFields": list(entries)},
        "spec": {"selector": {"a": "b"}, "ports": [{"port": port, "protocol": "TCP"}]},
    }


def entry(manager, fields, operation="Update", **more):
    return {"manager": manager, "operation": operation, "fieldsV1": fields} | more


def us(**fields):
    return entry("us", {"f:spec": {"f:selector": {}} | fields}, "Apply")


def ports(*keys):
    return {"f:spec": {"f:ports": {key: {".": {}, "f:port": {}} for key in keys}}}


def taken(live):
    return taken_over(live, differences(WANTED, live), "us")


def test_the_items_in_place_of_ours_become_ours_and_an_empty_entry_goes():
    live = service(us(), entry("editor", ports(THEIRS)))
    before = copy.deepcopy(live)
    assert taken(live) == [
        entry("us", {"f:spec": {"f:selector": {}, **ports(THEIRS)["f:spec"]}}, "Apply")
    ]
    assert live == before, "the live object is not ours to change"


def test_what_else_they_hold_stays_theirs():
    theirs = {"f:metadata": {"f:labels": {"f:x": {}}}, **ports(THEIRS)}
    managers = taken(service(us(), entry("editor", theirs)))
    assert managers is not None
    assert managers[1] == entry("editor", {"f:metadata": {"f:labels": {"f:x": {}}}})


def test_nothing_is_taken_where_none_of_ours_is_missing():
    """What others added beside ours is nobody's drift."""
    live = service(us(**ports(OURS)["f:spec"]), entry("mesh", ports(THEIRS)), port=8000)
    live["spec"]["selector"]["a"] = "changed"
    assert taken(live) is None


def test_an_object_that_is_adopted_gives_its_items_to_a_new_entry_of_ours():
    assert taken(service(entry("editor", ports(THEIRS)))) == [
        entry("us", ports(THEIRS), "Apply", apiVersion="v1", fieldsType="FieldsV1")
        | {"fieldsV1": {"f:spec": {"f:ports": {THEIRS: {".": {}, "f:port": {}}}}}}
    ]


def test_nothing_is_taken_from_a_subresource_or_where_nobody_holds_any():
    assert taken(service(us(), entry("status", ports(THEIRS), subresource="status"))) is None
    assert taken(service(us())) is None
