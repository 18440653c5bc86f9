"""YAML files as services, each with the place it stands at, so that a problem can be found."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from wakala_api.names import KIND
from wakala_api.problems import Problem

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
        return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


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


def _nodes(file: str) -> Iterator[yaml.Node]:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UnreadableError(f"{file} can't be read: {why}") from None
    try:
        yield from [
            node for node in yaml.compose_all(text, Loader=yaml.SafeLoader) if node is not None
        ]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise UnreadableError(
            f"{where}: no YAML: {getattr(error, 'problem', None) or 'unreadable'}"
        ) from None


def _content(file: str, node: yaml.Node) -> Any:
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(f"{file}:{node.start_mark.line + 1}: no YAML: {error}") from None


def line_of(document: Document, problem: Problem) -> int:
    """The line of the field a problem is about, or of the nearest part around it."""
    node = document.node
    for part in problem.path.replace("[", ".").replace("]", "").split("."):
        inner = _child(node, part)
        if inner is None:
            break
        node = inner
    return int(node.start_mark.line) + 1


def _child(node: yaml.Node, part: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next(
            (key for key, value in node.value if key.value == part and _plain(value)), None
        ) or next((value for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
        found: yaml.Node = node.value[int(part)]
        return found
    return None


def _plain(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode)
