"""The environment of the service's container: the guide's variables, the settings' whereabouts, connections, the team's own."""

from wakala_api.database import Connection
from wakala_api.names import RUNTIME_DIRECTORY
from wakala_operator.build.context import Build, Object
from wakala_operator.build.runtime import workers

__all__ = ["environment"]


def environment(build: Build) -> list[Object]:
    """All variables, ours first so that `$(NAME)` in the team's finds them; an entry of the spec replaces ours."""
    given = {entry.name: entry for entry in build.spec.env or ()}
    ours = [entry for entry in _ours(build) if entry["name"] not in given]
    return [*ours, *(e.model_dump(by_alias=True, exclude_none=True) for e in given.values())]


def _ours(build: Build) -> list[Object]:
    """PYTHONMALLOC and MALLOC_TRIM_THRESHOLD_ are the guide's, and so is PYTHONHASHSEED, where asked for (trap G15).

    gunicorn is sent to its configuration, and uvicorn, which the guide starts, gets the same settings by its own names.
    """
    spec, runtime = build.spec, build.spec.runtime
    values = {
        "PYTHONMALLOC": "pymalloc",
        "MALLOC_TRIM_THRESHOLD_": "100000",
        "GUNICORN_CMD_ARGS": f"--config {RUNTIME_DIRECTORY}/gunicorn.conf.py",
        "UVICORN_HOST": "0.0.0.0",  # noqa: S104 - inside the pod; the NetworkPolicy says who may call
        "UVICORN_PORT": str(spec.port),
        "UVICORN_WORKERS": str(workers(build)),
        "UVICORN_LOOP": runtime.loop,
        "UVICORN_TIMEOUT_KEEP_ALIVE": str(runtime.keep_alive_seconds),
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": str(runtime.request_timeout_seconds),
    }
    if runtime.hash_seed is not None:
        values["PYTHONHASHSEED"] = str(runtime.hash_seed)
    plain: list[Object] = [{"name": name, "value": value} for name, value in values.items()]
    behind = (("DATABASE_URL", spec.database), ("REDIS_URL", spec.cache))
    return plain + [_secret(name, section.connection) for name, section in behind if section]


def _secret(name: str, connection: Connection) -> Object:
    return {
        "name": name,
        "valueFrom": {"secretKeyRef": {"name": connection.secret_name, "key": connection.key}},
    }
