"""What Argo CD, kstatus and Flux's expressions say of a service at each step of its life: the truth, and the same."""

from typing import Any

import pytest

from tests.gitops.life import Life
from tests.gitops.tools import Tool
from tests.support.api import condition

STEPS = {
    # step: kstatus, Argo CD, Flux's expressions, the condition whose message is repeated
    "unseen": ("InProgress", "Progressing", "InProgress", ""),
    "created": ("InProgress", "Progressing", "InProgress", ""),
    "rolling out": ("InProgress", "Progressing", "InProgress", "Ready"),
    "ready": ("Current", "Healthy", "Current", "Ready"),
    "edited": ("InProgress", "Progressing", "InProgress", ""),
    "the edit is out": ("Current", "Healthy", "Current", "Ready"),
    "broken image": ("InProgress", "Progressing", "InProgress", "Reconciling"),
    "mended": ("Current", "Healthy", "Current", "Ready"),
    "paused": ("Current", "Suspended", "Current", "Ready"),
    "paused, just edited": ("InProgress", "Progressing", "InProgress", ""),
    "paused, an edit waits": ("InProgress", "Suspended", "Current", "Ready"),
    "just lifted": ("InProgress", "Progressing", "InProgress", ""),
    "lifted": ("Current", "Healthy", "Current", "Ready"),
    "deleted": ("Terminating", "Progressing", None, ""),
    "taken": ("Failed", "Degraded", "Failed", "Stalled"),
    "refused": ("Failed", "Degraded", "Failed", "Stalled"),
    "refused, just mended": ("InProgress", "Progressing", "InProgress", ""),
    "refused, mended": ("Current", "Healthy", "Current", "Ready"),
    "late": ("Failed", "Degraded", "Failed", "Stalled"),
    "asking": ("Current", "Healthy", "Current", "Ready"),
}


@pytest.mark.parametrize("step", STEPS)
def test_every_tool_sees_what_is_so(
    life: Life, argo: Tool, flux: Tool, expressions: dict[str, str], step: str
) -> None:
    kstatus, health, expressed, speaker = STEPS[step]
    found = life.steps[step]
    by_kstatus = flux.told("status", found)
    by_argo = argo.told("health", found)
    assert (by_kstatus["status"], by_argo["status"]) == (kstatus, health)
    if expressed is not None:
        by_expressions = flux.told("expressions", found, expressions=expressions)
        assert by_expressions["status"] == expressed
    if speaker:
        said = condition(found, speaker)["message"]
        assert by_argo["message"] == said
        assert by_kstatus["message"] in (said, "Resource is Ready")


def test_every_step_was_lived(life: Life) -> None:
    assert set(life.steps) == set(STEPS)


CHILDREN = {
    # step: kstatus and Argo CD of the Deployment
    "ready": ("Current", "Healthy"),
    "broken image": ("InProgress", "Progressing"),
    "late": ("Failed", "Degraded"),
}


@pytest.mark.parametrize("step", CHILDREN)
def test_the_children_say_the_same_as_their_service(
    life: Life, argo: Tool, flux: Tool, step: str
) -> None:
    """Argo CD shows them below the service. A disruption budget counts pods by itself, a little later."""
    children = life.children[step]
    assert len(children) == 6
    for child in children:
        kstatus = flux.told("status", child)["status"]
        health = argo.told("health", child).get("status", "")
        if child["kind"] == "Deployment":
            assert (kstatus, health) == CHILDREN[step]
        elif child["kind"] != "PodDisruptionBudget":
            assert kstatus == "Current", child["kind"]
            assert health in ("", "Healthy"), child["kind"]


def of(kind: str, status: str, message: Any = "", **more: Any) -> dict[str, Any]:
    """A condition by hand."""
    return {"type": kind, "status": status, "reason": "Why", "message": message} | more


NOW = {"observedGeneration": 2}
READY = of("Ready", "True", "2 of 2", observedGeneration=2)
BY_HAND: dict[str, tuple[Any, str, str]] = {
    "no status": (None, "Progressing", "has not seen"),
    "an empty status": ({}, "Progressing", "has not seen"),
    "a status that is no map": ([], "Progressing", "has not seen"),
    "as the CRD's default has it": ({"observedGeneration": -1}, "Progressing", "has not seen"),
    "an older generation, ready": (
        {"observedGeneration": 1, "conditions": [READY | {"observedGeneration": 1}]},
        "Progressing",
        "has not seen",
    ),
    "a newer generation, from a backup": (
        {"observedGeneration": 7, "conditions": [READY]},
        "Progressing",
        "has not seen",
    ),
    "no observedGeneration": ({"conditions": [READY]}, "Progressing", "has not seen"),
    "no conditions": (NOW, "Progressing", "not ready yet"),
    "conditions that are null": (NOW | {"conditions": None}, "Progressing", "not ready yet"),
    "no condition": (NOW | {"conditions": []}, "Progressing", "not ready yet"),
    "conditions that are no maps": (
        NOW | {"conditions": ["Ready", 3]},
        "Progressing",
        "not ready yet",
    ),
    "Ready of an older generation": (
        NOW | {"conditions": [READY | {"observedGeneration": 1}]},
        "Progressing",
        "2 of 2",
    ),
    "Ready that names no generation": (
        NOW | {"conditions": [of("Ready", "True", "2 of 2")]},
        "Progressing",
        "2 of 2",
    ),
    "ready": (NOW | {"conditions": [READY]}, "Healthy", "2 of 2"),
    "ready, after others": (
        NOW | {"conditions": [of("New", "False"), of("Healthy", "Unknown"), READY]},
        "Healthy",
        "2 of 2",
    ),
    "ready and not healthy": (
        NOW | {"conditions": [READY, of("Healthy", "False", "slow queries")]},
        "Healthy",
        "2 of 2; not healthy: slow queries",
    ),
    "Ready is unknown": (
        NOW | {"conditions": [of("Ready", "Unknown", "", observedGeneration=2)]},
        "Progressing",
        "Why",
    ),
    "a word that is no status": (
        NOW | {"conditions": [of("Ready", "Maybe", "perhaps", observedGeneration=2)]},
        "Progressing",
        "perhaps",
    ),
    "stalled without a message": (
        NOW | {"conditions": [{"type": "Stalled", "status": "True"}]},
        "Degraded",
        "a person is needed",
    ),
    "stalled with a message that is no text": (
        NOW | {"conditions": [of("Stalled", "True", {"a": 1})]},
        "Degraded",
        "Why",
    ),
    "stalled, though ready": (
        NOW | {"conditions": [READY, of("Stalled", "True", "taken")]},
        "Degraded",
        "taken",
    ),
    "stalled is false": (
        NOW | {"conditions": [READY, of("Stalled", "False", "taken")]},
        "Healthy",
        "2 of 2",
    ),
    "reconciling, though ready": (
        NOW | {"conditions": [READY, of("Reconciling", "True", "rolling")]},
        "Progressing",
        "rolling",
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_whatever_a_status_lacks_is_no_error_and_not_healthy(argo: Tool, case: str) -> None:
    status, health, message = BY_HAND[case]
    made = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": "a", "namespace": "x", "generation": 2},
        "spec": {"image": "a"},
        "status": status,
    }
    found = argo.told("health", made)
    assert (found["status"], message in found["message"]) == (health, True), found


@pytest.mark.parametrize("spec", [None, {}, {"paused": "yes"}, []])
def test_a_spec_that_says_nothing_of_a_pause_is_not_paused(argo: Tool, spec: Any) -> None:
    made = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": "a", "generation": 2},
        "spec": spec,
        "status": NOW | {"conditions": [READY]},
    }
    assert argo.told("health", made)["status"] == "Healthy"


@pytest.mark.parametrize(
    ("status", "health"),
    [
        (None, "Progressing"),
        ({}, "Progressing"),
        ({"health": {"status": "Healthy"}}, "Progressing"),
        ({"health": {"status": "Healthy"}, "sync": {"status": "OutOfSync"}}, "Progressing"),
        ({"health": {"status": "Healthy"}, "sync": {"status": "Synced"}}, "Healthy"),
        ({"health": {"status": "Degraded"}, "sync": {"status": "OutOfSync"}}, "Degraded"),
    ],
)
def test_a_wave_of_applications_ends_when_it_is_synced_and_healthy(
    argo: Tool, status: Any, health: str
) -> None:
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "wakala-crds"},
        "status": status,
    }
    assert argo.told("health", made)["status"] == health
