"""The table of good and bad services, read from the files beside this one."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
HEAD = "apiVersion: wakala.com/v1alpha1\nkind: WakalaService\nmetadata: {name: api}\nspec:\n"
IMAGE = "image: wakala/api:1.0.0\n"


@dataclass(frozen=True)
class Case:
    """One service and what both judges must say of it."""

    file: str
    name: str
    text: str
    verdict: str
    offline: tuple[str, ...]
    server: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"


def under_spec(text: str) -> str:
    """A whole service around the text of its spec, with an image if the text begins with none."""
    spec = text if text.startswith("image:") else IMAGE + text
    return HEAD + "".join(f"  {line}\n" for line in spec.splitlines())


def table() -> list[Case]:
    """Every case of every file."""
    return [
        _case(file.stem, entry)
        for file in sorted(HERE.glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())
    ]


def _case(file: str, entry: dict[str, Any]) -> Case:
    written = entry.pop("document", None) or under_spec(entry.pop("spec"))
    case = Case(
        file,
        entry.pop("name"),
        re.sub(r"<(.)\*(\d+)>", lambda found: found[1] * int(found[2]), written),
        entry.pop("verdict"),
        tuple(entry.pop("offline", ())),
        tuple(entry.pop("server", ())),
    )
    assert not entry, f"{case}: unknown {sorted(entry)}"
    assert case.verdict in {"accepted", "refused", "stalled"}, case
    assert bool(case.offline) == (case.verdict != "accepted"), case
    assert bool(case.server) == (case.verdict == "refused"), case
    return case
