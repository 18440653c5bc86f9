"""What kwok plays for us: its module's own stage files, and one stage of ours.

kwok 0.8 does nothing without stages. Those of its module (a node is ready at once, a pod runs at once, a Job's pod
succeeds, a deleted pod goes) are taken from the pinned version into the cache folder. The one change to them: a pod
with the annotation `devcluster.wakala.com/never-ready: "true"` is left to `stages.yaml`.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from devcluster.binaries import COMPONENTS, HERE, BuildError, cache, digest, go

__all__ = ["NEVER_READY", "stages"]

NEVER_READY = "devcluster.wakala.com/never-ready"
"""Annotation of a pod, value "true": it shall be scheduled and never become ready."""
_TAKEN = (
    "node/fast/node-initialize.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)


def stages() -> list[Path]:
    """The stage files to hand to kwok.

    Raises:
        BuildError: the kwok module can't be fetched.
    """
    kwok = COMPONENTS["kwok"]
    taken = cache() / "share" / f"kwok-stages-{digest(kwok, ' '.join(_TAKEN))}.yaml"
    if not taken.is_file():
        folder = _module(kwok.module) / "kustomize" / "stage"
        documents = [_spare(yaml.safe_load((folder / name).read_text())) for name in _TAKEN]
        taken.parent.mkdir(parents=True, exist_ok=True)
        unfinished = taken.with_suffix(f".{os.getpid()}")
        unfinished.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        unfinished.rename(taken)
    return [taken, HERE / "stages.yaml"]


def _module(pins: Path) -> Path:
    """Folder of the kwok module that `pins` names, downloaded if it is not there."""
    command = [go(), "mod", "download", "-json", "sigs.k8s.io/kwok"]
    asked = subprocess.run(command, cwd=pins, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        said = " ".join((asked.stderr or asked.stdout).split())
        raise BuildError(f"the kwok module, which holds the stage files, can't be fetched: {said}")
    return Path(json.loads(asked.stdout)["Dir"])


def _spare(stage: dict[str, Any]) -> dict[str, Any]:
    """The stage; the one that makes pods ready leaves the annotated ones alone."""
    if stage["metadata"]["name"] == "pod-ready":
        stage["spec"]["selector"]["matchExpressions"].append(
            {
                "key": f'.metadata.annotations["{NEVER_READY}"]',
                "operator": "NotIn",
                "values": ["true"],
            }
        )
    return stage
