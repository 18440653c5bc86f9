"""What the service's process reads at its start: the contract between the operator and what runs inside the pod.

It stands as JSON in the runtime ConfigMap, mounted at /etc/wakala. gunicorn's configuration and the service's library read
it from there: values are data, so that no value can break out of a program's text. Nothing secret is in it.
"""

from typing import Annotated, Literal

from pydantic import Field

from wakala_api.base import Model

__all__ = ["CacheSettings", "DatabaseSettings", "HttpClientSettings", "RuntimeSettings"]


class HttpClientSettings(Model):
    """Pool of the service's own HTTP client; times in seconds."""

    pool_connections: int
    """Hosts whose connections are kept."""
    pool_max_size: int
    """Connections kept to each host."""
    max_retries: int
    """Tries after a failed connection."""
    connect_timeout_seconds: int
    """Seconds a connection may take to open."""
    read_timeout_seconds: int
    """Seconds an answer may take."""


class DatabaseSettings(Model):
    """Pool and session options of PostgreSQL, in no driver's spelling; times in seconds."""

    pool_size: int
    """Connections one worker keeps open."""
    max_overflow: int
    """Connections one worker may open beyond that for a while."""
    pool_timeout_seconds: int
    """Seconds a request waits for a free connection."""
    pool_recycle_seconds: int
    """Age at which a connection is opened anew."""
    pool_pre_ping: bool
    """Whether a connection is tried before it is given out."""
    application_name: str
    """Name in pg_stat_activity."""
    jit: bool
    """PostgreSQL's just-in-time compilation."""
    statement_timeout_seconds: int
    """Seconds before the server cancels a statement; 0: never."""
    keepalives_idle_seconds: int
    """Seconds of silence before the first TCP probe."""
    keepalives_interval_seconds: int
    """Seconds between TCP probes."""
    keepalives_count: int
    """Unanswered TCP probes before the connection is given up."""
    ca_file: str | None = None
    """Certificate authority to check the server against; None: what the connection itself says."""


class CacheSettings(Model):
    """Pool and entries of Redis; times in seconds."""

    pool_size: int
    """Connections one worker keeps open."""
    keepalives_idle_seconds: int
    """Seconds of silence before the first TCP probe (TCP_KEEPIDLE)."""
    keepalives_interval_seconds: int
    """Seconds between TCP probes (TCP_KEEPINTVL)."""
    keepalives_count: int
    """Unanswered TCP probes before the connection is given up (TCP_KEEPCNT)."""
    ttl_seconds: int
    """How long an entry lives when its writer does not say."""
    ca_file: str | None = None
    """Certificate authority to check the server against; None: what the connection itself says."""


class RuntimeSettings(Model):
    """Everything, for one service."""

    version: Literal[1] = 1
    """Version of this contract."""
    port: int
    """Port to listen on."""
    workers: Annotated[int, Field(ge=1)]
    """Worker processes at most; exactly so many unless follow_cpu_limit."""
    follow_cpu_limit: bool
    """Take fewer workers where the container's CPU limit is lower than the operator knew."""
    worker_class: str
    """gunicorn's worker class."""
    worker_connections: int
    """Connections one worker serves at once, for workers that heed it."""
    loop: str
    """Event loop: uvloop, asyncio or auto."""
    threads: int
    """Threads for blocking calls in one worker."""
    tasks: int
    """Tasks one worker runs at once at most."""
    max_requests: int
    """Requests after which a worker is replaced; 0: never."""
    max_requests_jitter: int
    """Random part added to max_requests."""
    request_timeout_seconds: int
    """Heartbeat limit of a worker, and time for running requests at the end."""
    keep_alive_seconds: int
    """Seconds an idle client connection stays open."""
    preload_app: bool
    """Load the application before the workers fork."""
    reuse_port: bool
    """SO_REUSEPORT on the listening socket."""
    access_log: bool
    """One line a request on standard output."""
    http_client: HttpClientSettings
    """The service's own HTTP client."""
    database: DatabaseSettings | None = None
    """PostgreSQL, where there is one."""
    cache: CacheSettings | None = None
    """Redis, where there is one."""
