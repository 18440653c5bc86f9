"""The commands that ask a cluster, with their user's own rights."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from kubernetes.aio.config import ConfigException

from wakala_api.names import ANNOTATION_REFERENCES
from wakala_api.service import WakalaService
from wakala_cli.documents import Document
from wakala_cli.verdict import judge
from wakala_operator.build.context import Build
from wakala_operator.build.desired import desired, with_references
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.connection import connected
from wakala_operator.cluster.errors import ClusterError, NotFound
from wakala_operator.judge.plan import plan_prune
from wakala_operator.kinds import CHILDREN, DEPLOYMENT, WAKALASERVICE, kind_of
from wakala_operator.observe.observation import pods_of

__all__ = ["LiveError", "Reach", "ask", "differing", "one_service", "services"]

Answer = TypeVar("Answer")
NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
OURS = ("wakala.com/applied", "wakala.com/accepted")


class LiveError(Exception):
    """A cluster could not be asked; the message is one sentence."""


Reach = tuple[str, str]
"""Kubeconfig path and context; empty for the usual ones."""


def ask(reach: Reach, work: Callable[[Cluster], Awaitable[Answer]]) -> Answer:
    """Run `work` against the cluster.

    Raises:
        LiveError: there is none, it does not answer, or it refuses.
    """

    async def run() -> Answer:
        async with connected(*reach) as cluster:
            return await work(cluster)

    try:
        return asyncio.run(run())
    except (ConfigException, OSError) as error:
        raise LiveError(
            f"no cluster to ask: {str(error).strip() or type(error).__name__}"
        ) from None
    except NotFound as error:
        raise LiveError(
            f"not found: {error}; is the CRD installed and the namespace right?"
        ) from None
    except ClusterError as error:
        raise LiveError(str(error)) from None


def namespace_of(reach: Reach) -> str:
    """The namespace of the kubeconfig's context; `default` where it names none.

    Raises:
        LiveError: there is a kubeconfig, and it is none.
    """
    config = _kubeconfig(reach[0])
    wanted = reach[1] or config.get("current-context")
    contexts = {entry["name"]: entry.get("context", {}) for entry in config.get("contexts") or []}
    return str(contexts.get(wanted, {}).get("namespace") or "default")


def _kubeconfig(given: str) -> dict[str, Any]:
    """The first kubeconfig, read here too: the client's words about a bad one are a traceback."""
    import os  # noqa: PLC0415

    import yaml  # noqa: PLC0415

    usual = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0]
    file = Path(given or usual or Path.home() / ".kube" / "config")
    if not file.exists() and not given:
        return {}
    try:
        config = yaml.safe_load(file.read_text())
    except OSError as error:
        raise LiveError(f"no cluster to ask: {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise LiveError(f"no cluster to ask: {file} is no YAML") from None
    if not isinstance(config, dict):
        raise LiveError(f"no cluster to ask: {file} is no kubeconfig")
    return config


async def services(cluster: Cluster, namespace: str | None) -> list[dict[str, Any]]:
    """All services of a namespace, or of all."""
    listed = await cluster.list(WAKALASERVICE, namespace)
    return sorted(listed.items, key=lambda s: (s["metadata"]["namespace"], s["metadata"]["name"]))


async def one_service(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    """A service with its children and pods, as far as its user may see them: {service, children, pods}."""
    service = await cluster.get(WAKALASERVICE, namespace, name)
    wanted = {
        (entry["kind"], entry["name"]) for entry in service.get("status", {}).get("inventory", [])
    }
    children = []
    for kind in CHILDREN:
        for found in sorted(
            child_name for child_kind, child_name in wanted if child_kind == kind.kind
        ):
            try:
                children.append(await cluster.get(kind, namespace, found))
            except ClusterError as error:
                children.append(
                    {"kind": kind.kind, "metadata": {"name": found}, "problem": str(error)}
                )
    pods = await pods_of(cluster, namespace, name)
    return {"service": service, "children": children, "pods": list(pods)}


async def differing(
    cluster: Cluster, documents: list[Document], namespace: str
) -> list[tuple[str, str, str]]:
    """What an apply of the services would change: for each differing object its name, before and after, as text.

    Raises:
        LiveError: a service is not accepted, or the API server refuses an object.
    """
    changed = []
    for document in documents:
        verdict = judge(document)
        if verdict.state != "accepted":
            _, problem = verdict.problems[0]
            raise LiveError(f"{document.file}: {document.name}: {problem}")
        metadata = {"namespace": namespace} | document.content["metadata"]
        here = document.content | {"metadata": metadata}
        live = await _live(cluster, WAKALASERVICE, metadata["namespace"], metadata["name"])
        after = await _applied(cluster, here, live)
        changed += _pair(live, after)
        service = WakalaService.model_validate(after)
        if live is None:
            service = service.model_copy(
                update={"metadata": service.metadata.model_copy(update={"uid": ""})}
            )
        deployment = await _live(cluster, DEPLOYMENT, metadata["namespace"], metadata["name"])
        wanted = with_references(desired(Build(service)), _references(deployment))
        for obj in wanted:
            before = await _live(
                cluster, kind_of(obj), metadata["namespace"], obj["metadata"]["name"]
            )
            changed += _pair(before, await cluster.apply(obj, dry_run=True))
        changed += [_gone(child) for child in await _pruned(cluster, live, wanted)]
    return changed


async def _applied(
    cluster: Cluster, wanted: dict[str, Any], live: dict[str, Any] | None
) -> dict[str, Any]:
    """The service after an apply by whoever applied it before, so that a field that was taken out is gone."""
    metadata = (live or wanted)["metadata"]
    last = (metadata.get("annotations") or {}).get(LAST_APPLIED)
    if live is None or last is None:
        manager = _applier(live) if live is not None else "kubectl"
        return await cluster.apply(wanted, manager=manager, dry_run=True)
    change = _three_way(json.loads(last), wanted)
    change = {name: change[name] for name in ("metadata", "spec") if name in change}
    return await cluster.merge(
        WAKALASERVICE, metadata["namespace"], metadata["name"], change, dry_run=True
    )


def _applier(live: dict[str, Any]) -> str:
    """Who holds the service's image by server-side apply."""
    for entry in live["metadata"].get("managedFields", []):
        fields = entry.get("fieldsV1", {}).get("f:spec", {})
        if entry.get("operation") == "Apply" and "f:image" in fields:
            return str(entry["manager"])
    return "kubectl"


def _three_way(before: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that kubectl makes: what is wanted, and null for what was applied before and is no longer."""
    change: dict[str, Any] = {name: None for name in before if name not in wanted}
    for name, value in wanted.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            change[name] = _three_way(old, value)
        else:
            change[name] = value
    return change


async def _pruned(
    cluster: Cluster, live: dict[str, Any] | None, wanted: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The objects of the service that would go."""
    if live is None:
        return []
    metadata = live["metadata"]
    names = {
        (entry["kind"], entry["name"]) for entry in live.get("status", {}).get("inventory", [])
    }
    children = [
        child
        for kind in CHILDREN
        for named, name in sorted(names)
        if named == kind.kind
        and (child := await _live(cluster, kind, metadata["namespace"], name)) is not None
    ]
    return plan_prune(wanted, children, metadata["uid"])


def _gone(child: dict[str, Any]) -> tuple[str, str, str]:
    return f"{child['kind']}/{child['metadata']['name']}", _readable(child), ""


async def _live(cluster: Cluster, kind: Any, namespace: str, name: str) -> dict[str, Any] | None:
    try:
        return await cluster.get(kind, namespace, name)
    except NotFound:
        return None


def _references(deployment: dict[str, Any] | None) -> str:
    """The digest that the live pods carry: what it stands for is not read here, and is no difference."""
    if deployment is None:
        return ""
    annotations = deployment["spec"]["template"]["metadata"].get("annotations", {})
    return str(annotations.get(ANNOTATION_REFERENCES, ""))


def _pair(before: dict[str, Any] | None, after: dict[str, Any]) -> list[tuple[str, str, str]]:
    old, new = _readable(before), _readable(after)
    return [(f"{after['kind']}/{after['metadata']['name']}", old, new)] if old != new else []


def _readable(obj: dict[str, Any] | None) -> str:
    """An object as YAML without what changes by itself, and without our bookkeeping."""
    import yaml  # noqa: PLC0415

    if obj is None:
        return ""
    kept = json.loads(json.dumps({name: value for name, value in obj.items() if name != "status"}))
    metadata = {name: value for name, value in kept["metadata"].items() if name not in NOISE}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in OURS}
    annotations.pop(LAST_APPLIED, None)
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    kept["metadata"] = metadata
    kept.get("spec", {}).pop("clusterIP", None)
    kept.get("spec", {}).pop("clusterIPs", None)
    return str(yaml.safe_dump(kept, sort_keys=True))
