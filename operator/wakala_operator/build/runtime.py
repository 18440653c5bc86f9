"""The runtime ConfigMap: what the service's process reads at its start.

Two files. `runtime.json` holds the settings as data; `gunicorn.conf.py` is a constant program that reads them, and the
CPU limit of the cgroup it wakes up in. No value is ever pasted into a program's text.
"""

import hashlib
import json
from importlib import resources
from math import ceil
from typing import Final

from wakala_api.cache import Cache
from wakala_api.database import Connection, Database
from wakala_api.names import RUNTIME_DIRECTORY
from wakala_api.runtime_settings import (
    CacheSettings,
    DatabaseSettings,
    HttpClientSettings,
    RuntimeSettings,
)
from wakala_api.units import parse
from wakala_operator.build.context import Build, Object

__all__ = ["CA_FILES", "config_map", "config_map_name", "content_hash", "workers"]

PROGRAM: Final = resources.files("wakala_operator.build").joinpath("gunicorn.conf.py").read_text()
CA_FILES: Final = {"database": "database-ca.crt", "cache": "cache-ca.crt"}
"""File names of the certificate authorities beside the settings, by section of the spec."""


def config_map_name(build: Build) -> str:
    """The ConfigMap's name."""
    return f"{build.name}-runtime"


def config_map(build: Build) -> Object:
    """The ConfigMap with the settings and the program that reads them."""
    settings = _settings(build).model_dump(by_alias=True, mode="json")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": build.metadata(config_map_name(build)),
        "data": {
            "gunicorn.conf.py": PROGRAM,
            "runtime.json": json.dumps(settings, indent=2) + "\n",
        },
    }


def content_hash(build: Build) -> str:
    """Sixteen hex digits that stand for the content, for the pod template: another content, other pods."""
    data = config_map(build)["data"]
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def workers(build: Build) -> int:
    """Worker processes of one pod: as given, or two for each core that the limit allows, begun cores counted."""
    given = build.spec.runtime.workers
    if isinstance(given, int):
        return given
    return max(2 * ceil(parse(build.spec.resources.limits.cpu)), 1)


def _settings(build: Build) -> RuntimeSettings:
    spec, runtime = build.spec, build.spec.runtime
    client = runtime.http_client
    return RuntimeSettings(
        port=spec.port,
        workers=workers(build),
        follow_cpu_limit=runtime.workers == "auto",
        worker_class=runtime.worker_class,
        worker_connections=runtime.worker_connections,
        loop=runtime.loop,
        threads=runtime.threads,
        tasks=runtime.tasks,
        max_requests=runtime.max_requests,
        max_requests_jitter=runtime.max_requests_jitter,
        request_timeout_seconds=runtime.request_timeout_seconds,
        keep_alive_seconds=runtime.keep_alive_seconds,
        preload_app=runtime.preload_app,
        reuse_port=runtime.reuse_port,
        access_log=runtime.access_log,
        http_client=HttpClientSettings(
            pool_connections=client.pool_connections,
            pool_max_size=client.pool_max_size,
            max_retries=client.max_retries,
            connect_timeout_seconds=client.connect_timeout_seconds,
            read_timeout_seconds=client.read_timeout_seconds,
        ),
        database=_database(spec.database) if spec.database else None,
        cache=_cache(spec.cache) if spec.cache else None,
    )


def _database(database: Database) -> DatabaseSettings:
    pool, alive = database.pool, database.keepalives
    return DatabaseSettings(
        pool_size=pool.size,
        max_overflow=pool.max_overflow,
        pool_timeout_seconds=pool.timeout_seconds,
        pool_recycle_seconds=pool.recycle_seconds,
        pool_pre_ping=pool.pre_ping,
        application_name=database.application_name,
        jit=database.jit,
        statement_timeout_seconds=database.statement_timeout_seconds,
        keepalives_idle_seconds=alive.idle_seconds,
        keepalives_interval_seconds=alive.interval_seconds,
        keepalives_count=alive.count,
        ca_file=_ca_file("database", database.connection),
    )


def _cache(cache: Cache) -> CacheSettings:
    alive = cache.keepalives
    return CacheSettings(
        pool_size=cache.pool_size,
        keepalives_idle_seconds=alive.idle_seconds,
        keepalives_interval_seconds=alive.interval_seconds,
        keepalives_count=alive.count,
        ttl_seconds=cache.ttl_seconds,
        ca_file=_ca_file("cache", cache.connection),
    )


def _ca_file(section: str, connection: Connection) -> str | None:
    return f"{RUNTIME_DIRECTORY}/{CA_FILES[section]}" if connection.ca_key else None
