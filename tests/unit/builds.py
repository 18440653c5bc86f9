"""Services built offline, for the tests of the builders."""

from typing import Any

from wakala_api.problems import read
from wakala_api.service import WakalaService
from wakala_operator.build.context import Build, Object
from wakala_operator.build.desired import desired


def build(**spec: Any) -> Build:
    """A service `a` of namespace `n` with this spec, ready to be built."""
    document = {
        "apiVersion": "wakala.com/v1alpha1",
        "kind": "WakalaService",
        "metadata": {"name": "a", "namespace": "n", "uid": "service-uid"},
        "spec": {"image": "wakala/api:1.0.0"} | spec,
    }
    service = read(document, strict=True)
    assert isinstance(service, WakalaService), service
    return Build(service)


def built(**spec: Any) -> dict[str, Object]:
    """What the spec becomes, by kind."""
    return {obj["kind"]: obj for obj in desired(build(**spec))}


def pod(**spec: Any) -> Object:
    """The pods' spec."""
    return dict(built(**spec)["Deployment"]["spec"]["template"]["spec"])


def container(**spec: Any) -> Object:
    """The service's own container."""
    (found,) = [c for c in pod(**spec)["containers"] if c["name"] == "api"]
    return dict(found)
