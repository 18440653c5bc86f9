"""The images, built by the command that a person calls, and unpacked once."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.image.unpacked import Image, unpack

ROOT = Path(__file__).parents[2]


def built(checkout: Path) -> dict[str, Path]:
    """What image/build prints: target and archive."""
    ran = subprocess.run(
        [str(checkout / "image" / "build")], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    return {target: Path(archive) for target, archive, _ in lines}


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy: whoever edits a file while the tests run does not change what they compare."""
    copy = tmp_path_factory.mktemp("image") / "checkout"
    passed = shutil.ignore_patterns(".git", ".venv", "__pycache__", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=passed)
    return copy


@pytest.fixture(scope="session")
def archives(checkout: Path) -> dict[str, Path]:
    return built(checkout)


@pytest.fixture(scope="session")
def images(archives: dict[str, Path]) -> Iterator[dict[str, Image]]:
    """Both, in a folder that goes at once: pytest would keep those of three runs."""
    with TemporaryDirectory(prefix="wakala-image-") as directory:
        yield {
            target: unpack(archive, Path(directory) / target)
            for target, archive in archives.items()
        }


@pytest.fixture(params=["operator", "cli"])
def image(images: dict[str, Image], request: pytest.FixtureRequest) -> Image:
    """Each of them in turn."""
    return images[request.param]


@pytest.fixture
def operator_image(images: dict[str, Image]) -> Image:
    return images["operator"]


@pytest.fixture
def cli_image(images: dict[str, Image]) -> Image:
    return images["cli"]
