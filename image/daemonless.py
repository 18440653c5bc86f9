"""Build without Docker: buildah, and where no registry has the base, one assembled from Debian's packages.

Everything that buildah keeps is in one folder of the cache. It uses plain copies of layers (vfs) and chroot: both work
inside a container, where an overlay and a network namespace often do not.
"""

import hashlib
import os
import resource
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from image.lend import secrets
from image.steps import BuildError, Steps, answer, say

__all__ = ["Buildah"]

OFFICIAL = "docker.io/library/python:3.11-slim"
PULL_SECONDS = 120.0
"""Longest wait for a registry before the base is assembled."""
SUITE = "bookworm"
"""The Debian release whose Python is 3.11; the official image is built on Debian too."""
SOURCES = "/etc/apt/sources.list.d/debian.sources"
RECIPE = (
    "--mode=root",
    "--variant=minbase",
    "--format=directory",
    "--include=ca-certificates,python3,python3-venv",
    "--aptopt=APT::Install-Recommends false",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    # As in the official image, python3 and pip are under /usr/local. What brought pip there is not needed again.
    '--customize-hook=chroot "$1" python3 -m venv /usr/local',
    '--customize-hook=chroot "$1" dpkg --purge python3-venv python3.11-venv python3-pip-whl python3-setuptools-whl',
    '--customize-hook=cd "$1" && rm -rf etc/resolv.conf var/lib/apt/lists/*_* usr/local/bin/[Aa]ctivate*',
)
CONFIG = (
    "--env=PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
    "--env=LANG=C.UTF-8",
    "--cmd=python3",
)


@dataclass(frozen=True, slots=True)
class Buildah:
    """buildah with a storage of its own."""

    home: Path
    steps: Steps

    def base(self, wanted: str | None) -> str:
        """Name of the base in the storage: the one wanted, else the official one, else one of our own.

        Raises:
            BuildError: it can't be had.
        """
        self._install("buildah", "netavark")
        if wanted:
            self.steps.run(f"pulling {wanted}", self._buildah("pull", "--policy=missing", wanted))
            return wanted
        assembled = f"localhost/wakala-base:{_recipe()}"
        for name in (OFFICIAL, assembled):
            if self.identity(name):
                return name
        if answer(self._buildah("pull", "--quiet", OFFICIAL), within=PULL_SECONDS):
            return OFFICIAL
        say(f"no registry gives {OFFICIAL}; Debian's Python takes its place")
        self._assemble(assembled)
        return assembled

    def identity(self, name: str) -> str | None:
        """Digest of an image in the storage; None if it is not there."""
        command = self._buildah("inspect", "--type=image", "--format={{.FromImageID}}", name)
        return answer(command)

    def build(
        self, context: Path, *, target: str, tag: str, arguments: Mapping[str, str], archive: Path
    ) -> None:
        """Build one target and write it to an OCI archive."""
        limits = []
        for name, which, enough in (
            ("nofile", resource.RLIMIT_NOFILE, 1024),
            ("nproc", resource.RLIMIT_NPROC, 32768),
        ):
            # buildah's own wishes may be over ours, and a root without CAP_SYS_RESOURCE can't raise a limit.
            hard = resource.getrlimit(which)[1]
            at_most = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
            limits.append(f"--ulimit={name}={at_most}:{at_most}")
        with secrets() as lent:
            command = self._buildah(
                "build",
                "--isolation=chroot",
                "--pull=never",
                *limits,
                *lent,
                *(f"--build-arg={name}={value}" for name, value in arguments.items()),
                f"--target={target}",
                f"--tag={tag}",
                str(context),
            )
            self.steps.run(f"building {target}", command)
        written = f"oci-archive:{archive}:{tag}"
        self.steps.run(f"writing {target}", self._buildah("push", "--quiet", tag, written))
        # The archive is the result. What an interrupted build left goes too; only bases stay.
        answer(self._buildah("rmi", tag))
        self._sweep()

    def _sweep(self) -> None:
        answer(self._buildah("rm", "--all"))
        answer(self._buildah("rmi", "--prune"))

    def _buildah(self, *arguments: str) -> list[str]:
        # It ends with us, however we end; a build that nobody waits for would go on writing to the storage.
        ours = ["setpriv", "--pdeathsig=KILL", "buildah"]
        where = [f"--root={self.home}/storage", f"--runroot={self.home}/run"]
        return [*ours, *where, "--storage-driver=vfs", *arguments]

    def _install(self, *packages: str) -> None:
        """Install the Debian packages that are missing."""
        status = "--showformat=${Package} ${db:Status-Status}\n"
        there = answer(["dpkg-query", "--show", status, "*"]) or ""
        missing = [name for name in packages if f"{name} installed" not in there.splitlines()]
        if not missing:
            return
        if shutil.which("apt-get") is None or os.geteuid() != 0:
            raise BuildError(
                f"without Docker this needs root and Debian's {' and '.join(missing)}; there are none"
            )
        apt = ["apt-get", "--quiet", "--yes", "-o", "DPkg::Lock::Timeout=300"]
        env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}  # noqa: TID251
        self.steps.run("updating the package lists", [*apt, "update"], env)
        install = [*apt, "install", "--no-install-recommends", *missing]
        self.steps.run(f"installing {' '.join(missing)}", install, env)

    def _assemble(self, name: str) -> None:
        self._install("mmdebstrap")
        container = answer(self._buildah("from", "scratch")) or ""
        root = answer(self._buildah("mount", container))
        if root is None:
            raise BuildError(f"buildah can't keep an image in {self.home}")
        self.steps.run("assembling the base", _mmdebstrap(root))
        self.steps.run("describing the base", self._buildah("config", *CONFIG, container))
        self.steps.run("storing the base", self._buildah("commit", "--quiet", container, name))
        self._sweep()


def _recipe() -> str:
    """What tells one way to assemble a base from another."""
    told = "\n".join([SUITE, *RECIPE, *CONFIG])
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _mmdebstrap(root: str) -> list[str]:
    """The command; a machine of the same release lends its sources, any its apt's proxies and checks."""
    lent = answer(
        ["apt-config", "dump", "Acquire::http", "Acquire::https", "Acquire::Check-Valid-Until"]
    )
    options = [f"--aptopt={line}" for line in (lent or "").splitlines()]
    same = Path(SOURCES).is_file() and SUITE in Path(SOURCES).read_text().split()
    return ["mmdebstrap", *RECIPE, *options, SUITE, root, *([SOURCES] if same else [])]
