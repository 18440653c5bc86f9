"""How the API server is found and entered: as a pod or by a kubeconfig, and with a last question before each write."""

import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes.aio.config as kubernetes_config
from aiohttp.connector import Connection
from kubernetes.aio import client as kubernetes_client
from kubernetes.aio.client.rest import RESTClientObject

from wakala_api.names import MANAGER
from wakala_operator.cluster.client import URGENT, Asked, Cluster
from wakala_operator.cluster.errors import NotLeading

__all__ = ["connected", "own_namespace"]

_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SERVICE_ACCOUNT_TOKEN = f"{_ACCOUNT}/token"
CONNECTIONS = 32
"""Connections to the API server at most; each costs 128 KiB for TLS (measured), and a pass uses a few."""


def _always() -> bool:
    return True


def _unheard(_: str, __: str, ___: float) -> None:
    return


@asynccontextmanager
async def connected(
    kubeconfig: str = "",
    context: str = "",
    *,
    identity: str = "",
    may_write: Callable[[], bool] = _always,
    asked: Asked = _unheard,
) -> AsyncIterator[Cluster]:
    """A client for the pod's own ServiceAccount (its token is read again as it is renewed) or a kubeconfig.

    Args:
        kubeconfig: path; empty: the ServiceAccount where there is one, else the usual places.
        context: context in the kubeconfig; empty: its current one.
        identity: which process this is, for the audit log.
        may_write: asked right before a write is sent; a write that may not be is not sent.
        asked: told of every request.

    Raises:
        kubernetes.aio.config.ConfigException: there is neither.
    """
    configuration = kubernetes_client.Configuration()
    if not (kubeconfig or context) and _in_pod():
        kubernetes_config.load_incluster_config(client_configuration=configuration)
    else:
        await kubernetes_config.load_kube_config(
            kubeconfig or None, context=context or None, client_configuration=configuration
        )
    connector = _Fenced(
        may_write,
        limit=CONNECTIONS,
        ssl=RESTClientObject(configuration).ssl_context,
    )
    agent = f"{MANAGER}/{identity}" if identity else MANAGER
    async with aiohttp.ClientSession(
        connector=connector,
        trust_env=bool(urllib.request.getproxies()),  # asked at each request, and seldom of use
    ) as session:
        yield Cluster(configuration, session, agent=agent, asked=asked)


class _Fenced(aiohttp.TCPConnector):
    """Asks whether a write may be sent once its connection is there: the last moment before it is written to it."""

    def __init__(self, may_write: Callable[[], bool], **more: Any) -> None:
        super().__init__(**more)
        self._may_write = may_write

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp names it
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        reads = req.method == "GET" or req.url.path.startswith(URGENT)
        if not reads and not self._may_write():
            connection.close()
            raise NotLeading("another process leads, and this one writes no more")
        return connection


def own_namespace() -> str:
    """The namespace of the pod we run in; `default` outside of one."""
    try:
        return Path(_ACCOUNT, "namespace").read_text().strip() or "default"
    except OSError:
        return "default"


def _in_pod() -> bool:
    return Path(SERVICE_ACCOUNT_TOKEN).exists()
