"""A fresh cluster with the CRD, an operator in it, and services: where every measurement is made."""

import asyncio
import itertools
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench.client import BenchError, Client, Watch, connected
from bench.operators import ROOT, Process, Program
from devcluster import cluster as devcluster
from devcluster.cluster import Cluster
from tests.support import audit

__all__ = ["DEPLOYMENTS", "SERVICES", "Scene", "Service", "fresh_cluster", "say", "scene"]

_NAMESPACE = "bench"
SERVICES = f"apis/wakala.com/v1alpha1/namespaces/{_NAMESPACE}/wakalaservices"
DEPLOYMENTS = f"apis/apps/v1/namespaces/{_NAMESPACE}/deployments"
_CHILDREN = {
    f"api/v1/namespaces/{_NAMESPACE}/serviceaccounts": "",
    f"api/v1/namespaces/{_NAMESPACE}/configmaps": "-runtime",
    f"apis/networking.k8s.io/v1/namespaces/{_NAMESPACE}/networkpolicies": "",
    f"api/v1/namespaces/{_NAMESPACE}/services": "",
    DEPLOYMENTS: "",
    f"apis/policy/v1/namespaces/{_NAMESPACE}/poddisruptionbudgets": "",
}
"""Path of each kind of child, and what stands behind the service's name."""
CREATORS = 16
"""Services made at once."""
PATIENCE = 60.0
"""Seconds a single thing may take."""
SETTLED = 3.0
"""Seconds without a write of the operator after which it is at rest."""


def say(line: str) -> None:
    """One line for whoever waits."""
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Service:
    """What the measurements keep of a service."""

    generation: int
    ready: bool
    """Whether it is Ready, and said so of this generation."""


def _service(obj: dict[str, Any]) -> Service:
    generation = obj["metadata"]["generation"]
    found: list[dict[str, Any]] = obj.get("status", {}).get("conditions", [])
    ready = next((condition for condition in found if condition["type"] == "Ready"), {})
    said = ready.get("status") == "True" and ready.get("observedGeneration") == generation
    return Service(generation, said)


def _revision(obj: dict[str, Any]) -> str:
    """The variable that an edit changes, as the Deployment carries it."""
    env = obj["spec"]["template"]["spec"]["containers"][0].get("env", ())
    return next((entry.get("value", "") for entry in env if entry["name"] == "REVISION"), "")


def manifest(number: int) -> dict[str, Any]:
    """A service without pods; a few fields differ from one to the next."""
    return {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": name_of(number)},
        "spec": {
            "image": f"registry.example.com/team-{number % 20}/api:1.{number}.0",
            "port": 8000 + number % 100,
            "replicas": 0,
            "env": _env(number, "0"),
        },
    }


def name_of(number: int) -> str:
    """The name of the service with this number."""
    return f"s{number:05}"


def _env(number: int, revision: str) -> list[dict[str, str]]:
    return [
        {"name": "TEAM", "value": f"team-{number % 20}"},
        {"name": "REVISION", "value": revision},
    ]


@contextmanager
def fresh_cluster() -> Iterator[Cluster]:
    """A cluster of its own in a temporary folder, ended and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="wakala-bench-") as folder:
        running = devcluster.start(Path(folder) / "cluster", nodes=1)
        try:
            yield running
        finally:
            devcluster.stop(running)


@dataclass(slots=True)
class Scene:
    """A cluster with an operator in it."""

    cluster: Cluster
    client: Client
    process: Process
    services: Watch[Service]
    """All services."""
    _revisions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    async def create(self, numbers: range) -> float:
        """Make services as fast as a few creators can; the moment the first was sent, in `time.perf_counter`."""
        left = iter(numbers)
        began = time.perf_counter()

        async def creator() -> None:
            for number in left:
                await self.client.call("POST", SERVICES, manifest(number))

        await asyncio.gather(*(creator() for _ in range(CREATORS)))
        return began

    async def all_ready(self, numbers: range, *, within: float) -> float:
        """Wait until these services are Ready at their generation; the moment they were."""
        return await self.services.until(
            map(name_of, numbers), lambda service: service.ready, within=within
        )

    async def edit(self, number: int, deployments: Watch[str]) -> tuple[float, float]:
        """Change a variable of a service; the moments when that was sent, and when its Deployment carried it.

        Args:
            number: which service.
            deployments: a watch made by `deployments`.
        """
        revision = str(next(self._revisions))
        name = name_of(number)
        arrived = asyncio.create_task(
            deployments.until([name], lambda there: there == revision, within=PATIENCE)
        )
        await asyncio.sleep(0)
        sent = time.perf_counter()
        answer = await self.client.merge(
            f"{SERVICES}/{name}", {"spec": {"env": _env(number, revision)}}
        )
        carried = await arrived
        generation = answer["metadata"]["generation"]
        await self.services.until(
            [name], lambda s: s.ready and s.generation >= generation, within=PATIENCE
        )
        return sent, carried

    def deployments(self) -> Watch[str]:
        """A watch over the Deployments, for `edit`."""
        return Watch(self.client, DEPLOYMENTS, _revision)

    def position(self) -> int:
        """Where the audit log ends now."""
        return audit.position(self.cluster.audit_log)

    def writes(self, since: int) -> list[str]:
        """The operator's writes since then, as `verb resource/subresource name`.

        Left out: its Lease and the Events about that.
        """
        agent = self.process.program.agent
        found = audit.writes(self.cluster.audit_log, since, agent=agent)
        return [
            write for write in found if " leases/" not in write and f" events/ {agent}" not in write
        ]

    async def at_rest(self) -> None:
        """Wait until the operator has written nothing for a while.

        Raises:
            BenchError: it keeps writing.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            since = self.position()
            await asyncio.sleep(SETTLED)
            written = self.writes(since)
            if not written:
                return
            if time.monotonic() > deadline:
                raise BenchError(f"{self.process.program.name} keeps writing: {written[0]}")

    async def requests(self) -> int:
        """How many requests the API server has answered, whoever sent them; watches left out."""
        total = 0.0
        for line in (await self.client.text("GET", "metrics")).splitlines():
            if line.startswith("apiserver_request_total{") and 'verb="WATCH"' not in line:
                total += float(line.rpartition(" ")[2])
        return round(total)

    async def children(self, number: int) -> dict[str, Any]:
        """The objects of a service by kind, and the service itself, as the API server has them."""
        name = name_of(number)
        found = [
            await self.client.call("GET", f"{path}/{name}{suffix}")
            for path, suffix in _CHILDREN.items()
        ]
        found.append(await self.client.call("GET", f"{SERVICES}/{name}"))
        return {obj["kind"]: obj for obj in found}


@asynccontextmanager
async def scene(cluster: Cluster, program: Program) -> AsyncIterator[Scene]:
    """The CRD in the cluster, the operator running in it and at work."""
    async with connected(cluster) as client:
        await _prepare(client)
        log = cluster.directory / f"{program.agent}.log"
        async with Watch(client, SERVICES, _service) as services:
            process = Process(program, cluster.kubeconfig, log)
            here = Scene(cluster, client, process, services)
            try:
                await _warm(here)
                yield here
                process.stop()
            finally:
                process.kill()
            for line in process.complaints()[:3]:
                say(f"{program.name} said: {line}")


async def _prepare(client: Client) -> None:
    crd = yaml.safe_load((ROOT / "crds" / "wakala.com_wakalaservices.yaml").read_text())
    await client.call("POST", "apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    await client.call("POST", "api/v1/namespaces", {"metadata": {"name": _NAMESPACE}})
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            await client.call("GET", SERVICES)
        except BenchError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _warm(here: Scene) -> None:
    """One service, so that the operator's lists, watches and connections are there before the clock runs."""
    first = manifest(0)
    first["metadata"]["name"] = "warm"
    await here.client.call("POST", SERVICES, first)
    await here.services.until(["warm"], lambda service: service.ready, within=PATIENCE)
    await here.at_rest()


def size(obj: Any) -> int:
    """Bytes of an object as compact JSON."""
    return len(json.dumps(obj, separators=(",", ":")))
