"""YAML files as services, each with the place it stands at, so that a problem can be found."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wakala_api.base import printable
from wakala_api.names import KIND
from wakala_api.problems import Problem
from wakala_cli.yaml_reading import KubectlLoader, checked

__all__ = ["Document", "UnreadableError", "documents", "line_of"]


class UnreadableError(Exception):
    """A file can't be read as YAML; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Document:
    """One WakalaService as somebody wrote it."""

    file: str
    """The file's name, `-` for standard input."""
    line: int
    """Where it begins; the first line is 1."""
    content: Any
    """What YAML made of it."""
    node: yaml.Node
    """The same with the lines of its parts."""

    @property
    def name(self) -> str:
        """The service's name, as far as it has one."""
        metadata = self.content.get("metadata") if isinstance(self.content, dict) else None
        return printable(str(metadata.get("name", ""))) if isinstance(metadata, dict) else ""


def documents(files: list[str], *, namespace: str | None = None) -> Iterator[Document]:
    """All services in the files, in order; other kinds are passed over, as a file often holds a Secret too.

    Args:
        files: paths, `-` for standard input.
        namespace: put into services that name none.

    Raises:
        UnreadableError: a file is missing or is no YAML, or holds no service at all.
    """
    found = False
    for file in files:
        for node in _nodes(file):
            content = _content(file, node)
            if isinstance(content, dict) and content.get("kind") not in (None, KIND):
                continue
            found = True
            if (
                namespace
                and isinstance(content, dict)
                and isinstance(content.get("metadata"), dict)
            ):
                content["metadata"].setdefault("namespace", namespace)
            yield Document(file, node.start_mark.line + 1, content, node)
    if not found:
        raise UnreadableError(f"no {KIND} in {', '.join(files)}; there is nothing to do")


def _nodes(file: str) -> list[yaml.Node]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UnreadableError(f"{file} can't be read: {why}") from None
    try:
        return [
            checked(node)
            for node in yaml.compose_all(text, Loader=KubectlLoader)
            if not (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"))
        ]
    except (yaml.YAMLError, RecursionError) as error:
        raise _unreadable(file, error) from None


def _content(file: str, node: yaml.Node) -> Any:
    try:
        return KubectlLoader("").construct_document(node)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(file, error, node) from None


def _unreadable(file: str, error: Exception, node: yaml.Node | None = None) -> UnreadableError:
    """The first line of what YAML says, with the place."""
    mark = getattr(error, "problem_mark", None) or (node.start_mark if node else None)
    where = f"{file}:{mark.line + 1}" if mark else file
    if isinstance(error, RecursionError):
        return UnreadableError(f"{where}: no YAML: it is nested too deep")
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
    return UnreadableError(f"{where}: no YAML: {printable(str(said))}")


def line_of(document: Document, problem: Problem) -> int:
    """The line of the field a problem is about, or of the nearest part around it."""
    node, line = document.node, int(document.node.start_mark.line) + 1
    for step in problem.trail:
        found = _child(node, step)
        if found is None:
            break
        place, node = found
        line = int(place.start_mark.line) + 1
    return line


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    """One step down: where the part is named, and the part itself."""
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None
