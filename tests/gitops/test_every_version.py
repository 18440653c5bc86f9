"""What holds for every version of a service that a watch sees over its life, not only where a test looks."""

from itertools import pairwise
from typing import Any

import pytest

from tests.gitops.life import Life
from tests.gitops.tools import Tool
from tests.support.api import condition

AS_ARGO = {
    "Current": "Healthy",
    "InProgress": "Progressing",
    "Failed": "Degraded",
    "Terminating": "Progressing",
}


def generation(found: Any) -> int:
    return int(found["metadata"]["generation"])


def current(found: Any) -> bool:
    """What current means, from the status by hand."""
    ready = condition(found, "Ready")
    return (
        "deletionTimestamp" not in found["metadata"]
        and found["status"]["observedGeneration"] == generation(found)
        and (ready.get("status"), ready.get("observedGeneration")) == ("True", generation(found))
    )


@pytest.fixture(scope="session")
def versions(life: Life) -> list[Any]:
    found = life.versions["WakalaService"]
    seen = {v["metadata"]["resourceVersion"] for v in found}
    assert seen >= {step["metadata"]["resourceVersion"] for step in life.steps.values()}
    return found


def by_name(versions: list[Any]) -> list[list[Any]]:
    """The same, one list for each service."""
    names = {found["metadata"]["name"] for found in versions}
    return [[v for v in versions if v["metadata"]["name"] == name] for name in names]


def test_kstatus_is_current_exactly_when_this_generation_is_ready(
    versions: list[Any], flux: Tool
) -> None:
    for found in versions:
        assert (flux.told("status", found)["status"] == "Current") == current(found), found


def test_the_abnormal_conditions_are_true_and_alone(versions: list[Any]) -> None:
    for found in versions:
        reconciling, stalled = condition(found, "Reconciling"), condition(found, "Stalled")
        assert not (reconciling and stalled), found
        assert {c["status"] for c in (reconciling, stalled) if c} <= {"True"}, found
        if reconciling or stalled:
            assert condition(found, "Ready")["status"] == "False", found


def test_all_conditions_speak_of_the_generation_that_the_status_names(versions: list[Any]) -> None:
    for found in versions:
        status = found["status"]
        seen = {c["observedGeneration"] for c in status.get("conditions", [])}
        assert seen <= {status["observedGeneration"]}, found
        assert status["observedGeneration"] <= generation(found), found


def test_no_status_goes_back_to_an_older_generation(versions: list[Any]) -> None:
    for its in by_name(versions):
        for before, after in pairwise(its):
            assert before["status"]["observedGeneration"] <= after["status"]["observedGeneration"]


def test_argo_cd_and_kstatus_agree_but_for_a_pause(
    versions: list[Any], argo: Tool, flux: Tool
) -> None:
    for found in versions:
        by_argo, by_kstatus = argo.told("health", found), flux.told("status", found)
        allowed = {AS_ARGO[by_kstatus["status"]]}
        if found["spec"]["paused"] and by_kstatus["status"] in ("Current", "InProgress"):
            allowed = (
                {"Suspended"} if by_kstatus["status"] == "Current" else allowed | {"Suspended"}
            )
        assert by_argo["status"] in allowed, found


def test_the_expressions_and_kstatus_agree_but_for_a_pause(
    versions: list[Any],
    flux: Tool,
    expressions: dict[str, str],
) -> None:
    for found in versions:
        if "deletionTimestamp" in found["metadata"]:
            continue
        by_expressions = flux.told("expressions", found, expressions=expressions)["status"]
        by_kstatus = flux.told("status", found)["status"]
        seen = found["status"]["observedGeneration"] == generation(found)
        paused = found["spec"]["paused"] and seen
        assert by_expressions == ("Current" if paused else by_kstatus), found


def test_a_service_becomes_current_only_after_its_deployment(
    life: Life, versions: list[Any], argo: Tool, flux: Tool
) -> None:
    """Resource versions of one etcd order the writes to both."""
    became = 0
    for its in by_name(versions):
        for before, found in pairwise(its):
            if current(before) or not current(found):
                continue
            became += 1
            latest = [d for d in life.versions["Deployment"] if _owned_before(d, found)][-1]
            (container,) = latest["spec"]["template"]["spec"]["containers"]
            assert container["image"] == found["spec"]["image"]
            assert flux.told("status", latest)["status"] == "Current", latest
            assert argo.told("health", latest)["status"] == "Healthy", latest
    assert became >= 6


def _owned_before(deployment: Any, found: Any) -> bool:
    (owner,) = deployment["metadata"]["ownerReferences"]
    written = int(deployment["metadata"]["resourceVersion"])
    return bool(
        owner["uid"] == found["metadata"]["uid"]
        and written < int(found["metadata"]["resourceVersion"])
    )


def test_nothing_is_made_anew_while_the_service_goes(life: Life, versions: list[Any]) -> None:
    """It was deleted in the foreground, so that it stood there until the last of its objects was gone."""
    (went,) = {v["metadata"]["uid"] for v in versions if v["metadata"].get("deletionTimestamp")}
    owned = [
        d["metadata"]
        for d in life.versions["Deployment"]
        if d["metadata"]["ownerReferences"][0]["uid"] == went
    ]
    assert len({metadata["uid"] for metadata in owned}) == 1
