"""An image's archive, unpacked, and its program run as a container runtime would run it."""

import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INSIDE = """
root=$1 given=$2 user=$3 group=$4
shift 4
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,size=16m tmpfs "$root/tmp"
[ -z "$given" ] || mount --bind "$given" "$root/mnt"
mount -o remount,bind,ro "$root"
exec chroot "$root" setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs \
    --bounding-set=-all --inh-caps=-all -- env -i "$@"
"""
"""The Deployment's securityContext by hand: a read-only root, a /tmp of 16 MiB, no capabilities, the image's user."""


@dataclass(frozen=True)
class Layer:
    """One layer: what its members are and weigh."""

    members: list[tarfile.TarInfo]
    accounts: str
    """The text of its /etc/passwd; empty if it has none."""

    @property
    def size(self) -> int:
        """Bytes of its files, unpacked."""
        return sum(member.size for member in self.members)


@dataclass(frozen=True)
class Image:
    """One image, taken from its archive and nothing else."""

    config: dict[str, Any]
    layers: list[Layer]
    root: Path

    def files(self) -> Iterator[Path]:
        """Everything in the file system, without /proc and the like, which are empty."""
        return self.root.rglob("*")

    def ours(self) -> list[Layer]:
        """The layers over the base: from the one that knows our user."""
        first = next(i for i, layer in enumerate(self.layers) if "wakala:" in layer.accounts)
        return self.layers[first:]

    def command(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        entrypoint: list[str] | None = None,
        given: Path | None = None,
    ) -> list[str]:
        """A command line that runs the program; with nothing given it has no network either.

        Args:
            arguments: arguments of the program.
            env: environment over the image's own.
            entrypoint: another program.
            given: folder that it finds at /mnt.
        """
        own = dict(variable.split("=", 1) for variable in self.config["Env"])
        variables = [f"{name}={value}" for name, value in (own | dict(env or {})).items()]
        user, group = self.config["User"].split(":")
        # It ends with whoever started it, also after a crash of the tests.
        apart = ["setpriv", "--pdeathsig=KILL", "unshare", "--kill-child", "--fork"]
        apart += ["--mount", "--pid"] if given else ["--mount", "--pid", "--net"]
        program = entrypoint or self.config["Entrypoint"]
        script = ["sh", "-ec", INSIDE, "sh", str(self.root), str(given or ""), user, group]
        return [*apart, *script, *variables, *program, *arguments]

    def run(
        self, *arguments: str, say: str | None = None, **how: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run the program to its end; `say` is its standard input."""
        command = self.command(*arguments, **how)
        return subprocess.run(
            command, input=say, capture_output=True, text=True, timeout=60, check=False
        )


def unpack(archive: Path, root: Path) -> Image:
    """Read an archive and lay its layers over one another in a folder."""
    root.mkdir()
    with tarfile.open(archive) as tar:

        def blob(digest: str) -> Any:
            return tar.extractfile("blobs/" + digest.replace(":", "/"))

        def document(digest: str) -> Any:
            return json.load(blob(digest))

        index = json.load(tar.extractfile("index.json"))
        manifest = document(index["manifests"][0]["digest"])
        layers = [_lay(blob(layer["digest"]), root) for layer in manifest["layers"]]
        config = document(manifest["config"]["digest"])["config"]
    return Image(config, layers, root)


def _lay(blob: Any, root: Path) -> Layer:
    with tarfile.open(fileobj=blob) as tar:
        members = tar.getmembers()
        kept = []
        for member in members:
            path = Path(member.name)
            if not path.name.startswith(".wh."):
                kept.append(member)
                continue
            assert path.name != ".wh..wh..opq", "a layer that hides a folder and fills it again"
            gone = root / path.parent / path.name.removeprefix(".wh.")
            subprocess.run(["rm", "-rf", str(gone)], check=True)
        tar.extractall(root, kept, numeric_owner=True, filter="fully_trusted")  # noqa: S202 - our own build
        passwd = next((m for m in members if m.name.lstrip("./") == "etc/passwd"), None)
        text = tar.extractfile(passwd).read().decode() if passwd else ""
    return Layer(members, text)
