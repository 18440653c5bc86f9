"""The lives of a few services, lived once: each step's object, and every version that a watch saw."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.api import Api, condition, service
from tests.support.until import until

Object = dict[str, Any]

NEVER = {"metadata": {"annotations": {"devcluster.wakala.com/never-ready": "true"}}}
KINDS = ("WakalaService", "Deployment")


@dataclass
class Life:
    """What happened."""

    steps: dict[str, Object] = field(default_factory=dict)
    """The service at each step."""
    children: dict[str, list[Object]] = field(default_factory=dict)
    """Its objects at some of the steps."""
    versions: dict[str, list[Object]] = field(default_factory=dict)
    """Every version of every service and Deployment, by kind, in the order in which they were written."""


def lived(api: Api) -> Life:
    """Live it: about ten seconds."""
    life = Life()
    since = api.call("GET", api.path("WakalaService"))["metadata"]["resourceVersion"]
    _others_begin(api)
    _one_whole_life(api, life)
    _others_end(api, life)
    for kind in KINDS:
        events = api.events(kind, since)
        assert {e["type"] for e in events} <= {"ADDED", "MODIFIED", "DELETED"}, events[-1]
        life.versions[kind] = [e["object"] for e in events if e["type"] != "DELETED"]
    life.steps["rolling out"] = next(
        v
        for v in life.versions["WakalaService"]
        if v["metadata"]["name"] == "a" and condition(v, "Reconciling")
    )
    return life


def _others_begin(api: Api) -> None:
    """Those that become ready have one pod: a service is ready with fewer than all, and its Deployment is not."""
    api.create(service("unseen", operatorClass="nobody"))
    taken = {"ports": [{"name": "http", "port": 8000}], "selector": {"x": "y"}}
    for name in ("taken", "half"):
        api.create(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": taken}
        )
    api.create(service("taken"))
    host = {"spec": {"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}}
    api.create(service("refused", replicas=1, podTemplatePatch=host))
    api.create(service("late", rollout={"progressDeadlineSeconds": 2}, podTemplatePatch=NEVER))
    api.create(service("asking", replicas=1, database={"connection": {"secretName": "gone"}}))


def _one_whole_life(api: Api, life: Life) -> None:
    """One service, from the answer to its creation to the answer to its deletion."""
    steps = life.steps

    def change(**spec: Any) -> Object:
        return dict(api.patch("WakalaService", "a", {"spec": spec}))

    def wait(*, status: str, reason: str) -> Object:
        return until(lambda: _when(api.get("WakalaService", "a"), status, reason))

    asked = {"rollout": {"minReadySeconds": 1}, "disruption": {"minAvailableForReady": 2}}
    steps["created"] = api.create(service("a", **asked))
    steps["ready"] = wait(status="True", reason="RolledOut")
    life.children["ready"] = _children(api, "a")
    steps["edited"] = change(image="wakala/api:2.0.0")
    steps["the edit is out"] = wait(status="True", reason="RolledOut")
    change(image="wakala/api:broken", podTemplatePatch=NEVER)
    steps["broken image"] = until(
        lambda: _when(api.get("WakalaService", "a"), "False", "RollingOut", "ImagePullBackOff")
    )
    life.children["broken image"] = _children(api, "a")
    change(image="wakala/api:2.0.0", podTemplatePatch=None)
    steps["mended"] = wait(status="True", reason="RolledOut")
    change(paused=True)
    steps["paused"] = wait(status="True", reason="Paused")
    steps["paused, just edited"] = change(image="wakala/api:3.0.0")
    steps["paused, an edit waits"] = wait(status="Unknown", reason="Paused")
    steps["just lifted"] = change(paused=False)
    steps["lifted"] = wait(status="True", reason="RolledOut")
    foreground = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"}
    steps["deleted"] = api.call("DELETE", api.path("WakalaService", "a"), foreground)
    # The garbage collector asks every 30 s which kinds there are, and until then waits for nothing of a new one.
    until(lambda: api.get("WakalaService", "a") is None, within=45)


def _others_end(api: Api, life: Life) -> None:
    steps = life.steps
    for name, reason in (
        ("taken", "NameTaken"),
        ("refused", "TemplateRefused"),
        ("late", "ProgressDeadlineExceeded"),
    ):
        steps[name] = until(
            lambda name=name, reason=reason: _when(  # type: ignore[misc]
                api.get("WakalaService", name), "False", reason
            )
        )
    life.children["late"] = _children(api, "late")
    steps["refused, just mended"] = api.patch(
        "WakalaService", "refused", {"spec": {"podTemplatePatch": None}}
    )
    steps["refused, mended"] = until(
        lambda: _when(api.get("WakalaService", "refused"), "True", "RolledOut")
    )
    steps["asking"] = until(lambda: _when(api.get("WakalaService", "asking"), "True", "RolledOut"))
    steps["unseen"] = api.get("WakalaService", "unseen")


def _when(found: Object, status: str, reason: str, part: str = "") -> Object | None:
    """The service, if its Ready speaks so of its present generation."""
    ready = condition(found, "Ready")
    now = ready.get("observedGeneration") == found["metadata"]["generation"]
    same = (ready.get("status"), ready.get("reason")) == (status, reason)
    return found if now and same and part in ready["message"] else None


def _children(api: Api, name: str) -> list[Object]:
    found = api.get("WakalaService", name)["status"]["inventory"]
    return [api.get(entry["kind"], entry["name"]) for entry in found]
