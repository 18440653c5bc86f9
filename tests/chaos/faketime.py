"""libfaketime for one process: a wall clock that jumps when a test says so, while the clocks that count go on.

Debian's package is fetched with apt-get into the cache folder and unpacked there; nothing is installed.
"""

import subprocess
from pathlib import Path

from devcluster.binaries import cache, locked

PACKAGE = "libfaketime"


def library() -> Path:
    """The library to preload: the system's, else one from the cache folder, fetched if need be."""
    for found in (*_in(Path("/")), *_in(cache() / PACKAGE)):
        return found
    with locked(cache() / f"{PACKAGE}.lock", f"another run fetches {PACKAGE}; waiting for it"):
        if not (found := _in(cache() / PACKAGE)):
            _fetch(cache() / PACKAGE)
            found = _in(cache() / PACKAGE)
    return found[0]


def _in(root: Path) -> list[Path]:
    """The one for programs with threads, in one place."""
    return sorted(root.glob("usr/lib/*/faketime/libfaketimeMT.so.1"))


def _fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    asked = subprocess.run(
        ["apt-get", "download", PACKAGE], cwd=folder, capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:  # an image without package lists
        subprocess.run(["apt-get", "update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
    (package,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", package.name, "."], cwd=folder, check=True)


def environment(clock: Path) -> dict[str, str]:
    """Variables for a process whose wall clock is ahead by what stands in `clock`, such as `+1d`; read at each look."""
    return {
        "LD_PRELOAD": str(library()),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # nor CLOCK_BOOTTIME
        "NO_FAKE_STAT": "1",
    }
