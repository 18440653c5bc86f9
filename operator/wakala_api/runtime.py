"""How the service's process runs: workers, loop, timeouts, pools of its HTTP client.

The numbers are the guide's ("Application-Level Tuning"), with its traps mended: `multiprocessing.cpu_count()` counts
the host's CPUs (G13), so the number of workers is a plain number or follows the CPU limit; `PYTHONHASHSEED=0` turns
off a protection (G15), so it is set only where somebody asks for it.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from wakala_api.base import Model, text

__all__ = ["HttpClient", "Runtime"]

MOST_WORKERS = 64


def _workers(value: Any) -> int | str:
    """A number or the word, else one sentence instead of one for each half of the union."""
    number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_WORKERS
    if number or value == "auto":
        return value  # type: ignore[no-any-return]
    raise PydanticCustomError("workers", "wanted a number of workers from 1 to 64, or auto")


Workers = Annotated[
    int | str,
    PlainValidator(_workers),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": "^auto$",
            "maxLength": 4,
            "minimum": 1,
            "maximum": MOST_WORKERS,
        }
    ),
]
Size = Annotated[int, Field(ge=1, le=10000)]
Timeout = Annotated[int, Field(ge=1, le=3600)]


class HttpClient(Model):
    """Pool of the HTTP client that the service calls others with."""

    pool_connections: Size = 100
    """Hosts whose connections are kept; 100 is the guide's."""
    pool_max_size: Size = 100
    """Connections kept to each host; 100 is the guide's."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
    """Tries after a failed connection; 3 is the guide's."""
    connect_timeout_seconds: Timeout = 5
    """Seconds a connection may take to open; 5 is the guide's."""
    read_timeout_seconds: Timeout = 30
    """Seconds an answer may take; 30 is the guide's."""


class Runtime(Model):
    """The service's process, as gunicorn and the service's own library read it from /etc/wakala."""

    workers: Workers = 4
    """Worker processes of one pod: a number (4 is the guide's), or auto = 2 x limits.cpu, rounded up. Each worker has
    its own database pool."""
    worker_class: Annotated[str, text(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", most=200)] = (
        "uvicorn_worker.UvicornWorker"
    )
    """gunicorn's worker. The guide's uvicorn.workers.UvicornWorker is deprecated; the package uvicorn-worker has its
    successor, which the image must hold."""
    worker_connections: Size = 1000
    """Connections one worker serves at once, for workers that heed it (the uvicorn one does not); 1000 is the guide's."""
    loop: Literal["uvloop", "asyncio", "auto"] = "uvloop"
    """Event loop of the workers; uvloop is the guide's and must be in the image. auto: uvloop if it is there."""
    threads: Annotated[int, Field(ge=1, le=1000)] = 50
    """Threads for blocking calls in one worker (the guide's THREAD_POOL_SIZE)."""
    tasks: Size = 1000
    """Tasks one worker runs at once at most, for the service's own library (the guide's ASYNC_POOL_SIZE)."""
    max_requests: Annotated[int, Field(ge=0, le=100000000)] = 10000
    """Requests after which a worker is replaced, against slow leaks; 0: never. 10000 is the guide's."""
    max_requests_jitter: Annotated[int, Field(ge=0, le=100000000)] = 1000
    """Random part added to max_requests, so that workers are not replaced together; 1000 is the guide's."""
    request_timeout_seconds: Timeout = 60
    """Seconds without a heartbeat before a worker is killed, and seconds that running requests get when the pod
    leaves; 60 is the guide's."""
    keep_alive_seconds: Annotated[int, Field(ge=0, le=3600)] = 75
    """Seconds an idle client connection stays open; 75 (the guide's) is above common proxies' 60."""
    preload_app: bool = True
    """The application is loaded once, before the workers fork (the guide's). Open no connection at import: workers
    would share its socket."""
    reuse_port: bool = True
    """SO_REUSEPORT on the listening socket (the guide's)."""
    access_log: bool = True
    """One line a request on standard output (the guide's format)."""
    hash_seed: Annotated[int, Field(ge=0, le=4294967295)] | None = None
    """PYTHONHASHSEED. Absent: random, which protects against hash flooding. The guide's 0 turns that off."""
    http_client: HttpClient = Field(default_factory=HttpClient)
    """The service's own HTTP client; absent, the guide's numbers."""
