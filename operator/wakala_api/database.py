"""The PostgreSQL behind the service: where its connection stands, the pool each worker opens, what is too slow.

A connection comes whole from one entry of one Secret, host and password together: a resource that could name the host
apart from the password could send the password elsewhere. Pool numbers are the guide's ("Connection Pool
Optimization"); the driver options that it mixes up (traps G18, G25c) are given by name here and spelled per driver by
the service's library.
"""

from typing import Annotated

from pydantic import Field

from wakala_api.base import Model, text
from wakala_api.environment import ObjectKey, ObjectName
from wakala_api.workload import Port

__all__ = ["Connection", "Database", "DatabaseThresholds", "Keepalives", "Pool"]


class Connection(Model):
    """One entry of a Secret that holds a whole connection."""

    secret_name: ObjectName
    """The Secret, in the service's namespace."""
    key: ObjectKey = "url"
    """Entry with the connection: a PostgreSQL URI or conninfo, or a Redis URL."""
    ca_key: ObjectKey | None = None
    """Entry with the certificate authority (PEM) that the server's certificate is checked against."""
    admin_key: ObjectKey | None = None
    """Entry with a direct connection for the operator's checks, where `key` leads through a bouncer."""


class Pool(Model):
    """The connection pool of one worker. Workers x (size + overflow) x pods must fit the server."""

    size: Annotated[int, Field(ge=1, le=500)] = 20
    """Connections one worker keeps open; 20 is the guide's."""
    max_overflow: Annotated[int, Field(ge=0, le=500)] = 10
    """Connections one worker may open beyond that for a while; 10 is the guide's."""
    timeout_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """Seconds a request waits for a free connection; 30 is the guide's."""
    recycle_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    """Age at which a connection is opened anew; 3600 is the guide's."""
    pre_ping: bool = True
    """A connection is tried before it is given out (the guide's)."""


class Keepalives(Model):
    """TCP keepalive of the database connections, so that a dead server is noticed."""

    idle_seconds: Annotated[int, Field(ge=1, le=7200)] = 30
    """Seconds of silence before the first probe; 30 is the guide's."""
    interval_seconds: Annotated[int, Field(ge=1, le=7200)] = 10
    """Seconds between probes; 10 is the guide's."""
    count: Annotated[int, Field(ge=1, le=100)] = 5
    """Unanswered probes before the connection is given up; 5 is the guide's."""


class DatabaseThresholds(Model):
    """What the live check calls unhealthy."""

    mean_query_milliseconds: Annotated[int, Field(ge=1, le=600000)] = 10
    """Mean time of a statement over the window; 10 is the guide's checklist."""
    minimum_calls: Annotated[int, Field(ge=1, le=1000000000)] = 100
    """Calls a statement needs in the window to be judged; 100 is the guide's."""
    hit_ratio_percent: Annotated[int, Field(ge=0, le=100)] = 90
    """Least share of blocks found in the server's buffers; 90 is the guide's checklist."""
    connections_percent: Annotated[int, Field(ge=1, le=100)] = 80
    """Most of the server's connections in use; 80 is the guide's alert."""


class Database(Model):
    """The PostgreSQL behind the service."""

    connection: Connection
    """Where the connection stands; the pods get it as DATABASE_URL."""
    port: Port = 5432
    """TCP port the NetworkPolicy opens towards the server (its host is in the Secret and may move)."""
    pool: Pool = Field(default_factory=Pool)
    """The pool of each worker; absent, the guide's numbers."""
    keepalives: Keepalives = Field(default_factory=Keepalives)
    """TCP keepalive; absent, the guide's numbers."""
    application_name: Annotated[str, text(pattern=r"^[A-Za-z0-9_.:-]+$", most=63)] = "wakala_api"
    """Name the connections carry in pg_stat_activity (the guide's)."""
    jit: bool = False
    """PostgreSQL's just-in-time compilation; off is the guide's, as short queries pay for it."""
    statement_timeout_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """Seconds before the server cancels a statement; 0: never. 60 is the guide's."""
    thresholds: DatabaseThresholds = Field(default_factory=DatabaseThresholds)
    """What the live check calls unhealthy; absent, the guide's numbers."""
    show_query_text: bool = False
    """Slow statements are shown with their text (constants replaced), not only as a fingerprint."""
