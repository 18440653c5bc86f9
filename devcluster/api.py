"""The few calls a starting cluster needs, over plain HTTPS: a client library would cost a fifth of the start."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

__all__ = ["call", "ready"]


def call(
    server: str, ca: Path, *, token: str, method: str = "GET", path: str, body: Any = None
) -> bytes:
    """One request; the answer's bytes.

    Raises:
        OSError: it can't be reached, or (urllib.error.HTTPError, one of them) it refused.
    """
    request = urllib.request.Request(  # noqa: S310 - server is one that we started
        server + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "User-Agent": "devcluster",
        },
    )
    context = ssl.create_default_context(cafile=str(ca))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        content: bytes = answer.read()
        return content


def ready(server: str, ca: Path, *, token: str) -> bool:
    """Whether the API server answers /readyz with ok."""
    if not ca.exists():
        return False
    try:
        return call(server, ca, token=token, path="/readyz") == b"ok"
    except OSError:  # also ssl.SSLError, while the certificate is being written
        return False
