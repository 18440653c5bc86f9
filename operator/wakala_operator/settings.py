"""What an installation can say to its operator, read once from the environment (`WAKALA_...`)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["Settings"]


def _words(value: object) -> object:
    """`a, b` as a tuple of its words."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


class Settings(BaseSettings):
    """Settings of one operator process; each field is the environment variable WAKALA_<FIELD>."""

    model_config = SettingsConfigDict(
        env_prefix="WAKALA_", frozen=True, use_attribute_docstrings=True
    )

    watch_namespaces: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)] = ()
    """Namespaces to look after, separated by commas; empty: all."""
    operator_class: str = ""
    """Only services whose spec.operatorClass equals this are looked after."""
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """Services reconciled at once; one waits for the API server most of the time."""
    resync_seconds: Annotated[float, Field(gt=0, le=86400)] = 600
    """Longest time between two looks at a service that nothing happened to; the first look comes after a tenth."""
    references_seconds: Annotated[float, Field(gt=0, le=3600)] = 60
    """Seconds between two readings of the Secrets and ConfigMaps that a service refers to."""
    lease: str = "wakala-operator"
    """Name of the Lease by which several processes agree on one that writes; empty: this is the only one."""
    lease_namespace: str = ""
    """Where the Lease is; empty: the pod's own namespace, else `default`."""
    profiling: bool = False
    """Serve /debug/profile, which tells where the time goes."""
    health_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of /healthz, /readyz and /metrics; 0: none."""
    health_host: str = "0.0.0.0"  # noqa: S104 - the kubelet asks the pod's address
    """Address they listen on."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or one JSON object a line."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severity that is written."""
    kubeconfig: str = ""
    """Path of a kubeconfig; empty: the pod's ServiceAccount, else $KUBECONFIG or ~/.kube/config."""
