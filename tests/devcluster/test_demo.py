"""`make up` and `make down`, as a newcomer runs them, with a cache folder of the test's own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devcluster.binaries import COMPONENTS, binary, cache

ROOT = Path(__file__).parents[2]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A cache folder that holds the programs, so that they are not built anew, and nothing else."""
    (tmp_path / "cache").mkdir()
    for name in COMPONENTS:
        binary(name)
    (tmp_path / "cache" / "bin").symlink_to(cache() / "bin")
    own = {"WAKALA_CACHE": str(tmp_path / "cache"), "PYTHONPATH": f"{ROOT / 'operator'}:{ROOT}"}
    return {k: v for k, v in os.environ.items() if k != "KUBECONFIG"} | own


def demo(environment: dict[str, str], word: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "devcluster.demo", word],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_up_shows_every_example_ready_and_down_ends_it(
    environment: dict[str, str], tmp_path: Path
) -> None:
    try:
        said = demo(environment, "up")
        listed = [line.split() for line in said.splitlines() if line.startswith("default ")]
        names = sorted(path.stem for path in (ROOT / "examples").glob("*.yaml"))
        ready = {row[1].replace("wakala-api", "guide") for row in listed if row[2] == "True"}
        assert sorted(ready) == names
        assert "Ready True" in said
        assert "make down" in said
        again = demo(environment, "up")
        assert "runs already" in again
        assert "the operator runs as process" not in again, "the one that runs is kept"
    finally:
        assert "ended" in demo(environment, "down")
    assert "nothing was running" in demo(environment, "down")
    left = [
        path
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if str(tmp_path).encode() in path.read_bytes()
    ]
    assert left == []
