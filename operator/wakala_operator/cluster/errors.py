"""What can go wrong between us and the API server, as a handful of words the rest of the code can decide on.

A message is one sentence for people. The server's own text is kept where it names a field and a reason, and cut where it
repeats an object, since an object may hold somebody's values.
"""

import json
import re
from typing import Any

import aiohttp
from kubernetes.aio.client.exceptions import ApiException

__all__ = [
    "AlreadyThere",
    "ClusterError",
    "Conflict",
    "Forbidden",
    "Invalid",
    "NotFound",
    "NotLeading",
    "Terminating",
    "Throttled",
    "Unreachable",
    "translated",
]

LONGEST = 400
MISSHAPEN = ("failed to create typed patch object", "failed to convert new object")
"""How server-side apply says that a field is unknown or has a value of the wrong kind: with code 500, as if it were the
server's own fault (tried on 1.36.3)."""
TEST_FAILED = "the server rejected our request due to an error in our request"
"""How a failed `test` of a JSON patch is told."""
_OPENING = re.compile(
    r"^failed to [a-z ]+ \([^/]*/([^;]*); [^=]*Kind=(\w+)\)"
    r"( to proper version: unable to convert unstructured object to \S+ Kind=\w+)?: "
)


class ClusterError(Exception):
    """Something between us and the API server; the message is one sentence."""


class NotFound(ClusterError):
    """There is no such object, or no such kind."""


class AlreadyThere(ClusterError):
    """An object of that name is there."""


class Conflict(ClusterError):
    """Somebody else holds a field, or a precondition did not hold."""


class Forbidden(ClusterError):
    """We may not; a person has to give the right or lift a policy."""


class NotLeading(ClusterError):
    """Another process writes; this one stopped before it sent anything."""


class Terminating(ClusterError):
    """The namespace is on its way out."""


class Invalid(ClusterError):
    """The API server refuses the object as it is."""


class Throttled(ClusterError):
    """Too many requests; come back later."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the server asks for."""


class Unreachable(ClusterError):
    """The API server does not answer, or not as one."""


def translated(error: Exception) -> ClusterError:
    """The error in our words; one that is already ours is returned as it is."""
    if isinstance(error, ClusterError):
        return error
    if isinstance(error, ApiException):
        return _answered(error)
    if isinstance(error, TimeoutError):
        return Unreachable("the API server did not answer in time")
    if isinstance(error, aiohttp.ClientError | OSError):
        return Unreachable(f"the API server can't be reached ({type(error).__name__})")
    if isinstance(error, ValueError | RecursionError):
        return Unreachable("the API server's answer could not be read")
    raise error


def _answered(error: ApiException) -> ClusterError:
    status = _status(error)
    reason, code = status.get("reason", ""), int(error.status or 0)
    said = str(status.get("message") or error.reason or "no reason given")
    message = shortened(said)
    causes = (status.get("details") or {}).get("causes") or []
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return Terminating("the namespace is being deleted")
    match code:
        case 404:
            return NotFound(message)
        case 409 if reason == "AlreadyExists":
            return AlreadyThere(message)
        case 409:
            return Conflict(message)
        case 401 | 403:
            return Forbidden(message)
        case 422 if said == TEST_FAILED or any(c.get("field") == "metadata.uid" for c in causes):
            return Conflict("the object was deleted and made anew")
        case 400 | 413 | 422:
            return Invalid(message)
        case 500 if said.startswith(MISSHAPEN):
            return Invalid(message)
        case 429:
            return Throttled("the API server asks for fewer requests", _retry_after(error))
    return Unreachable(f"the API server answered {code}: {message}")


def _status(error: ApiException) -> dict[str, Any]:
    body = error.body
    try:
        parsed = json.loads(body) if body else {}
    except (TypeError, ValueError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _retry_after(error: ApiException) -> float:
    headers = error.headers or {}
    try:
        return max(float(headers.get("Retry-After", 1)), 0.1)
    except (TypeError, ValueError):
        return 1.0


def shortened(message: str) -> str:
    """The server's sentence without the objects it repeats: field paths and reasons stay, long values go."""
    # `expected string, got &value.valueUnstructured{Value:...}` and `got &{map[...]}` repeat a value, to whatever end.
    text = re.sub(r", got &.*", "", message, flags=re.DOTALL)
    text = re.sub(r"\s+", " ", text).strip()
    text = _OPENING.sub(r"\2 \1: ", text)
    # `Invalid value: {"a":1...}` and `Invalid value: v1.PodSpec{...}` repeat an object.
    text = re.sub(
        r'(Invalid value|Duplicate value): (?:[\w.&*\[\]]*\{.*?\}|"(?:[^"\\]|\\.){60,}"): ',
        r"\1: ",
        text,
    )
    text = re.sub(r"[\w.]*\{[^{}]{60,}\}", "{…}", text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
