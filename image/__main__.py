"""Build the images of the operator and the command line: `image/build`.

Prints a line for each: target, archive, size. An archive's name carries a digest of all that goes into it, so what was
built already is only named again.
"""

import argparse
import hashlib
import os
import shutil
import signal
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from devcluster.binaries import cache, locked
from image.daemonless import Buildah
from image.lend import secrets
from image.steps import BuildError, Steps, answer, say

__all__ = ["main"]

ROOT = Path(__file__).parents[1]
TARGETS = ("operator", "cli")
KEPT = 3
"""Archives of a target that stay in the cache."""

Build = Callable[[Path, str, str, Path], None]
"""Builds from a context a target under a tag into a file."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="image/build", description=__doc__)
    parser.add_argument(
        "--base", help="image to build on; else python:3.11-slim, else one made of Debian packages"
    )
    return parser.parse_args()


def main() -> int:
    """Build what is not built yet; a failure is one sentence and exit code 1."""
    wanted = _arguments().base
    # So that what was lent to pip is taken back also when somebody ends us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    home = cache() / "image"
    try:
        with locked(home / "lock", "image: another run builds; waiting for it"):
            for target, archive in _archives(home, wanted).items():
                size = archive.stat().st_size / 1e6
                sys.stdout.write(f"{target}\t{archive}\t{size:.1f} MB\n")
    except (BuildError, OSError) as error:
        sys.stderr.write(f"image: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("image: interrupted\n")
        return 1
    return 0


def _archives(home: Path, wanted: str | None) -> dict[str, Path]:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    steps = Steps(home / "log")
    steps.log.write_bytes(b"")
    base, build = _with_docker(steps, wanted, version) or _without(home, steps, wanted, version)
    archives = {}
    with TemporaryDirectory(prefix="wakala-image-") as directory:
        context = Path(directory)
        _copy(context)
        digest = _digest(base, context)
        for target in TARGETS:
            archive = home / f"{target}-{version}-{digest}.tar"
            if not archive.is_file():
                unfinished = archive.with_suffix(".unfinished")
                unfinished.unlink(missing_ok=True)
                build(context, target, f"docker.io/wakala/{target}:{version}", unfinished)
                unfinished.rename(archive)
            archive.touch()
            _forget(home, target)
            archives[target] = archive
    return archives


def _with_docker(steps: Steps, wanted: str | None, version: str) -> tuple[str, Build] | None:
    if answer(["docker", "info"], within=20) is None:
        return None
    base = wanted or "python:3.11-slim"

    def build(context: Path, target: str, tag: str, archive: Path) -> None:
        with secrets() as lent:
            given = [f"--build-arg=BASE={base}", f"--build-arg=VERSION={version}", *lent]
            what = [f"--target={target}", f"--tag={tag}", str(context)]
            env = os.environ | {"DOCKER_BUILDKIT": "1"}  # noqa: TID251
            steps.run(f"building {target}", ["docker", "build", *given, *what], env)
        steps.run(f"writing {target}", ["docker", "save", f"--output={archive}", tag])

    say("Docker answers and builds")
    return base, build


def _without(home: Path, steps: Steps, wanted: str | None, version: str) -> tuple[str, Build]:
    buildah = Buildah(home, steps)
    base = buildah.base(wanted)

    def build(context: Path, target: str, tag: str, archive: Path) -> None:
        arguments = {"BASE": base, "VERSION": version}
        buildah.build(context, target=target, tag=tag, arguments=arguments, archive=archive)

    return f"{base} {buildah.identity(base)}", build


def _copy(context: Path) -> None:
    """What the images are made of, as it is now: a file that changes later is in neither the digest nor the images."""
    listed = (ROOT / ".dockerignore").read_text().splitlines()
    for name in ("Dockerfile", ".dockerignore", *(line[1:] for line in listed if line[:1] == "!")):
        source, copy = ROOT / name, context / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            generated = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, copy, ignore=generated)
        elif source.exists():
            shutil.copy(source, copy)


def _digest(base: str, context: Path) -> str:
    """What tells one pair of images from another."""
    told = hashlib.sha256(base.encode())
    for file in sorted(file for file in context.rglob("*") if file.is_file()):
        content = file.read_bytes()
        told.update(f"\0{file.relative_to(context)}\0{len(content)}\0".encode() + content)
    return told.hexdigest()[:12]


def _forget(home: Path, target: str) -> None:
    """Remove the archives used longest ago."""
    found = sorted(home.glob(f"{target}-*.tar"), key=lambda file: file.stat().st_mtime)
    for old in found[:-KEPT]:
        old.unlink()


if __name__ == "__main__":
    sys.exit(main())
