"""The API server's own record of who wrote what."""

import json
from pathlib import Path
from typing import Any

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def entries(log: Path, since: int = 0) -> list[dict[str, Any]]:
    """Requests recorded after byte `since` of the log."""
    with log.open("rb") as file:
        file.seek(since)
        text = file.read().decode()
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def position(log: Path) -> int:
    """Where the log ends now."""
    return log.stat().st_size


def writes(
    log: Path, since: int, *, agent: str = "wakala-operator", namespace: str = ""
) -> list[str]:
    """Writes of one program that were no dry runs, as `verb resource/subresource name`."""
    return [
        f"{entry['verb']} {entry['objectRef'].get('resource')}/{entry['objectRef'].get('subresource', '')} "
        f"{entry['objectRef'].get('name')}"
        for entry in entries(log, since)
        if entry["verb"] in WRITES
        and "dryRun=All" not in entry["requestURI"]
        and agent in entry.get("userAgent", "")
        and namespace in ("", entry["objectRef"].get("namespace"))
    ]
