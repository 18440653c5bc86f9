"""The pods' identity: an account of their own, without a token, since the service calls no API server."""

from wakala_operator.build.context import Build, Object

__all__ = ["service_account"]


def service_account(build: Build) -> Object:
    """The ServiceAccount; nothing is granted to it."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": build.metadata(),
        "automountServiceAccountToken": False,
    }
