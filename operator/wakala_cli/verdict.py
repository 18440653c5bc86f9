"""What the cluster would say of a service, offline: accepted, refused by the API server, or stalled by the operator."""

from dataclasses import dataclass
from typing import Any, Literal

from wakala_api.problems import Problem, read
from wakala_api.service import WakalaService
from wakala_cli.documents import Document, line_of
from wakala_operator.build.context import Build, Refused
from wakala_operator.build.desired import desired
from wakala_operator.judge.decisions import notes

__all__ = ["Verdict", "judge"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one service."""

    document: Document
    state: Literal["accepted", "refused", "stalled"]
    """refused: the API server takes it not. stalled: it does, and the operator would stop with a sentence."""
    problems: tuple[tuple[int, Problem], ...]
    """Each with its line."""
    warnings: tuple[str, ...]
    """What a reader should know although nothing is wrong."""
    objects: tuple[dict[str, Any], ...]
    """What it renders to, where it is accepted."""


def judge(document: Document) -> Verdict:
    """The verdict over one service."""
    found = read(document.content, strict=True)
    if not isinstance(found, WakalaService):
        placed = tuple((line_of(document, problem), problem) for problem in found)
        return Verdict(document, "refused", placed, (), ())
    warnings = tuple(note.message for note in notes(found.spec)) + tuple(_more(found))
    try:
        objects = desired(Build(found))
    except Refused as refused:
        trail = ("spec", "podTemplatePatch") if found.spec.pod_template_patch else ("spec",)
        problem = Problem("spec", f"{refused.reason}: {refused}", trail)
        return Verdict(document, "stalled", ((line_of(document, problem), problem),), warnings, ())
    return Verdict(document, "accepted", (), warnings, tuple(objects))


def _more(service: WakalaService) -> list[str]:
    if service.spec.pod_template_patch is None:
        return []
    return [
        "spec.podTemplatePatch is in use: unknown fields in it are found by the API server only"
    ]
