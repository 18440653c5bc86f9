"""What is rendered, taken by the API server's strict validation and by Pod Security `restricted`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.golden.render import EXPECTED
from tests.support.api import Api, Refused
from tests.support.until import until

EXAMPLES = sorted(path.name for path in EXPECTED.glob("*.yaml"))


def objects(example: str) -> list[dict[str, Any]]:
    """A rendered example, without the namespace it names."""
    found = [obj for obj in yaml.safe_load_all(Path(EXPECTED / example).read_text()) if obj]
    for obj in found:
        obj["metadata"].pop("namespace")
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_strict_validation_takes_every_object(api: Api, example: str) -> None:
    for obj in objects(example):
        api.create(obj, fieldValidation="Strict", dryRun="All")


@pytest.fixture(params=["latest", "v1.32"])
def restricted(api: Api, request: pytest.FixtureRequest) -> Api:
    """A namespace that enforces Pod Security `restricted`, in the newest version and in the oldest we support."""
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": request.param,
    }
    change = {"metadata": {"labels": labels}}
    where = f"api/v1/namespaces/{api.namespace}"
    api.call("PATCH", where, change, kind="application/merge-patch+json")
    return api


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_pods_are_made_where_pod_security_is_restricted(restricted: Api, example: str) -> None:
    """The pods, not only the Deployment: a Deployment whose pods are refused is accepted all the same."""
    for obj in objects(example):
        if obj["kind"] == "Deployment":
            obj["spec"]["replicas"] = 2
        if obj["kind"] != "HorizontalPodAutoscaler":
            restricted.create(obj)
    until(lambda: len(restricted.list("Pod")) >= 2)


def test_a_pod_that_is_not_restricted_is_refused_there(restricted: Api) -> None:
    """The namespace does enforce something."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]},
    }
    with pytest.raises(Refused, match="restricted"):
        restricted.create(pod)
