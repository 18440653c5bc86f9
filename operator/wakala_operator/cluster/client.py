"""A thin client: the kubernetes package's way to find and enter a cluster, aiohttp, plain dictionaries.

Discovery is not needed, as all our kinds are known; every request has a time limit; every failure is one of
`cluster.errors`.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio.client.exceptions import ApiException

from wakala_api.names import MANAGER
from wakala_operator.cluster.errors import ClusterError, Throttled, translated
from wakala_operator.kinds import LEASE, Kind, kind_of, path

__all__ = ["URGENT", "Asked", "Cluster", "Credentials", "Listed"]

TIMEOUT = 30.0
"""Seconds a request may take."""
PAGE = 100
"""Objects of a list read at once: reading more would hold the loop up for longer than an edit should wait."""
URGENT = f"/apis/{LEASE.api_version}/"
"""Requests for the Lease decide who writes, and so ask nobody; they also do not wait when others are told to."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the API server is and as whom we talk to it; None for what does not apply."""

    server: str
    """Its URL."""
    ca_path: str | None
    """File with the certificate authority that it is checked against."""
    insecure: bool
    """Whether it is not checked."""
    token: str | None
    """Bearer token, read anew where it is renewed."""
    certificate_path: str | None
    """File with our certificate."""
    private_key_path: str | None
    """File with its key."""


Asked = Callable[[str, str, float], None]
"""Called with a request's verb, its status code (`none` without an answer) and the seconds it took."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A list and the moment it speaks of."""

    items: list[dict[str, Any]]
    resource_version: str


class Cluster:
    """The API server, as far as we talk to it."""

    def __init__(
        self,
        configuration: kubernetes_client.Configuration,
        session: aiohttp.ClientSession,
        *,
        agent: str,
        asked: Asked,
    ) -> None:
        """Talk over `session` to where `configuration` says, as `agent`; each request is told to `asked`."""
        self._configuration = configuration
        self._session = session
        self._agent = agent
        self._asked = asked
        self._not_before = 0.0

    async def credentials(self) -> Credentials:
        """What another client needs to talk to the same API server as the same user."""
        found = self._configuration
        bearer = await found.get_api_key_with_prefix("BearerToken", alias="authorization")
        return Credentials(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            token=bearer.removeprefix("Bearer ") if bearer else None,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
        )

    async def _request(
        self,
        method: str,
        where: str,
        body: Any = None,
        *,
        content: str = "application/json",
        query: dict[str, str | None] | None = None,
    ) -> dict[str, Any]:
        """One request, counted; 429 makes all later ones wait for as long as the API server asks.

        Raises:
            ClusterError: it failed, in our words.
        """
        wait = self._not_before - asyncio.get_running_loop().time()
        if wait > 0 and not where.startswith(URGENT):
            await asyncio.sleep(wait)
        began, code = time.monotonic(), "none"
        try:
            async with self._session.request(
                method,
                self._configuration.host + where,
                params={name: value for name, value in (query or {}).items() if value is not None},
                data=None if body is None else json.dumps(body),
                headers=await self._headers(content),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
            ) as answer:
                code = str(answer.status)
                text = await answer.read()
                if answer.ok:
                    return dict(json.loads(text))
                error = ApiException(status=answer.status, reason=answer.reason)
                error.body, error.headers = text.decode(errors="replace"), answer.headers
                raise self._heeded(translated(error))
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as failure:
            raise translated(failure) from None
        finally:
            self._asked(method, code, time.monotonic() - began)

    async def _headers(self, content: str) -> dict[str, str]:
        """Who we are, with a token that is read anew when it is renewed, and what we send."""
        sent = {"Content-Type": content, "Accept": "application/json", "User-Agent": self._agent}
        found = self._configuration
        bearer = await found.get_api_key_with_prefix("BearerToken", alias="authorization")
        if bearer:
            sent["Authorization"] = bearer
        return sent

    def _heeded(self, error: ClusterError) -> ClusterError:
        """The error, after what it asks of later requests was noted."""
        if isinstance(error, Throttled):
            again = asyncio.get_running_loop().time() + error.retry_after
            self._not_before = max(self._not_before, again)
        return error

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        """One object.

        Raises:
            NotFound: it is not there.
            ClusterError: anything else that went wrong.
        """
        return await self._request("get", path(kind, namespace, name))

    async def list(
        self,
        kind: Kind,
        namespace: str | None,
        *,
        labels: str | None = None,
        most: int | None = None,
    ) -> Listed:
        """All objects of a kind, page by page, in one namespace or (None) in all.

        Args:
            kind: what to list.
            namespace: where.
            labels: a label selector.
            most: stop after about so many.
        """
        items: list[dict[str, Any]] = []
        token = None
        while True:
            answer = await self._request(
                "get",
                path(kind, namespace),
                query={
                    "labelSelector": labels,
                    "limit": str(most or PAGE),
                    "continue": token,
                },
            )
            items += [
                {"apiVersion": kind.api_version, "kind": kind.kind} | item
                for item in answer["items"]
            ]
            token = answer["metadata"].get("continue")
            if not token or (most is not None and len(items) >= most):
                return Listed(items, answer["metadata"]["resourceVersion"])

    async def apply(
        self,
        obj: dict[str, Any],
        *,
        manager: str = MANAGER,
        force: bool = True,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Server-side apply; the object as the server has it afterwards.

        Raises:
            Conflict: without `force`, somebody else holds a field with another value.
            Invalid: the server refuses the object.
        """
        metadata = obj["metadata"]
        return await self._request(
            "patch",
            path(kind_of(obj), metadata["namespace"], metadata["name"]),
            obj,
            content="application/apply-patch+yaml",
            query={
                "fieldManager": manager,
                "force": "true" if force else "false",
                "dryRun": "All" if dry_run else None,
            },
        )

    async def delete(self, obj: dict[str, Any]) -> None:
        """Delete exactly this object: a namesake made since, or a later version of it, stays.

        Raises:
            Conflict: it is another one, or it has changed.
        """
        metadata = obj["metadata"]
        await self._request(
            "delete",
            path(kind_of(obj), metadata["namespace"], metadata["name"]),
            {
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {
                    "uid": metadata["uid"],
                    "resourceVersion": metadata["resourceVersion"],
                },
            },
        )

    async def put_status(
        self, kind: Kind, metadata: dict[str, Any], status: dict[str, Any]
    ) -> dict[str, Any]:
        """Replace the status of exactly the object with this UID.

        Raises:
            Conflict: the object was deleted and made anew.
            NotFound: it is gone.
        """
        # A merge patch would not do: on a status the API server passes over the UID in it (tried).
        ops = [
            {"op": "test", "path": "/metadata/uid", "value": metadata["uid"]},
            {"op": "add", "path": "/status", "value": status},
        ]
        where = path(kind, metadata["namespace"], metadata["name"])
        return await self._request(
            "patch",
            f"{where}/status",
            ops,
            content="application/json-patch+json",
            query={"fieldManager": MANAGER},
        )

    async def create(self, kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
        """Make an object that must not be there yet.

        Raises:
            AlreadyThere: it is.
        """
        return await self._request(
            "post", path(kind, obj["metadata"]["namespace"]), obj, query={"fieldManager": MANAGER}
        )

    async def replace(self, kind: Kind, obj: dict[str, Any]) -> dict[str, Any]:
        """Put `obj` in the place of the version that its metadata names.

        Raises:
            Conflict: it is another version by now.
        """
        metadata = obj["metadata"]
        where = path(kind, metadata["namespace"], metadata["name"])
        return await self._request("put", where, obj, query={"fieldManager": MANAGER})

    async def merge(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        change: dict[str, Any],
        *,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Lay `change` over an object."""
        return await self._request(
            "patch",
            path(kind, namespace, name),
            change,
            content="application/merge-patch+json",
            query={"dryRun": "All" if dry_run else None},
        )
