"""The engine against a real API server, without an operator that runs."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from devcluster.cluster import Cluster as Running
from tests.support.api import Api
from tests.support.api import service as manifest
from wakala_api.problems import read
from wakala_api.service import WakalaService
from wakala_operator.build.context import Build
from wakala_operator.build.desired import desired
from wakala_operator.cluster.client import Cluster
from wakala_operator.cluster.connection import connected

Object = dict[str, Any]
Wanted = Callable[..., dict[str, Object]]


@pytest_asyncio.fixture
async def client(cluster: Running) -> AsyncIterator[Cluster]:
    """The product's client, as the admin."""
    async with connected(str(cluster.kubeconfig)) as connection:
        yield connection


@pytest.fixture
def wanted(api: Api) -> Wanted:
    """What a service named `a` asks for, by kind; the service is there, of a class no operator acts on."""
    raw = api.create(manifest("a", operatorClass="of-this-test"))

    def ask(**spec: Any) -> dict[str, Object]:
        parsed = read(raw | {"spec": raw["spec"] | spec}, strict=True)
        assert isinstance(parsed, WakalaService), parsed
        return {obj["kind"]: obj for obj in desired(Build(parsed))}

    return ask
