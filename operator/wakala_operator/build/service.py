"""The stable address of the pods."""

from wakala_operator.build.context import Build, Object

__all__ = ["service"]


def service(build: Build) -> Object:
    """The Service: the pods' port under the service's name, inside the cluster.

    The target is the port's name: while a new number rolls out, each pod is reached on its own. `appProtocol` tells gateways
    and meshes what is spoken.
    """
    port = {
        "name": "http",
        "port": build.spec.port,
        "targetPort": "http",
        "protocol": "TCP",
        "appProtocol": "http",
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": build.metadata(),
        "spec": {"selector": build.selector, "ports": [port]},
    }
