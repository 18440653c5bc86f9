"""Read an object that somebody wrote, and say in sentences what is wrong with it.

The same reading serves the command line (strict: an unknown field is a mistake) and the operator (tolerant: after a CRD
upgrade the API server adds fields that an older operator does not know). pydantic's errors are programmers' words; each
becomes one sentence that says what was seen, what was wanted, and what to do. Values that may be somebody's secret are not
repeated.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wakala_api.names import API_VERSION, KIND
from wakala_api.service import WakalaService

__all__ = ["Problem", "read", "unknown_fields"]

LONGEST = 60
SECRET_WORDS = ("password", "secret", "token", "credential")
HIDDEN = ("value", "env", "podTemplatePatch", "annotations")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: str
    """Where, such as spec.env[2].name."""
    sentence: str
    """What was seen, what was wanted, what to do."""

    def __str__(self) -> str:
        """Both as one line."""
        return f"{self.path}: {self.sentence}" if self.path else self.sentence


def read(document: object, *, strict: bool) -> WakalaService | list[Problem]:
    """Read one object.

    Args:
        document: what YAML or JSON made of it.
        strict: whether a field that is not known is a problem, as it is for `kubectl apply`.

    Returns:
        the service, or what is wrong, in the order of the document.
    """
    head = _head(document)
    if head:
        return head
    try:
        return WakalaService.model_validate(document, extra="forbid" if strict else "ignore")
    except ValidationError as error:
        found = [_problem(detail) for detail in error.errors(include_url=False)]
        return [problem for problem in dict.fromkeys(found) if not _is_metadata(problem)] or _again(
            document
        )


def _is_metadata(problem: Problem) -> bool:
    """Unknown metadata is the API server's to judge: it has fields that we do not read."""
    return problem.path.startswith("metadata.") and problem.sentence.startswith("unknown field")


def _again(document: object) -> WakalaService | list[Problem]:
    """Only unknown metadata was wrong: read without looking at it."""
    if not isinstance(document, dict):
        return []
    metadata = {
        name: value
        for name, value in document.get("metadata", {}).items()
        if name in {"name", "namespace", "labels", "annotations", "uid", "generation"}
    }
    return read(document | {"metadata": metadata}, strict=True)


def _head(document: object) -> list[Problem]:
    """Is it an object of our kind at all?"""
    if not isinstance(document, dict):
        return [
            Problem(
                "",
                f"seen {_kind(document)}, wanted an object with apiVersion, kind, metadata and spec",
            )
        ]
    found = []
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        seen = document.get(name)
        if seen != wanted:
            found.append(Problem(name, f"seen {_shown(seen)}, wanted {wanted}"))
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        found.append(Problem("metadata.name", "seen none, wanted the service's name"))
    return found


def unknown_fields(document: dict[str, Any]) -> tuple[str, ...]:
    """Fields of the spec that this version does not know, by path; at most ten."""
    return tuple(
        _unknown(document.get("spec"), WakalaService.model_fields["spec"].annotation, "spec")
    )[:10]


def _unknown(value: Any, annotation: Any, path: str) -> Iterator[str]:
    model = _model_in(annotation)
    if model is None:
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, model, f"{path}[{index}]")
        return
    if not isinstance(value, dict):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for name, inner in value.items():
        if name not in fields:
            yield f"{path}.{name}"
        else:
            yield from _unknown(inner, fields[name].annotation, f"{path}.{name}")


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, directly, optionally, or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        if (found := _model_in(inner)) is not None:
            return found
    return None


def _problem(detail: ErrorDetails) -> Problem:
    trail = tuple(detail["loc"])
    path = _path(trail)
    context = detail.get("ctx", {})
    seen = "" if _hidden(trail) else f"seen {_shown(detail['input'])}, "
    match detail["type"]:
        case "missing":
            return Problem(path, "seen nothing, wanted a value; this field is required")
        case "extra_forbidden":
            return Problem(path, "unknown field" + _nearest(trail))
        case "rule":
            return Problem(path, str(context["sentence"]))
        case "repeated":
            return Problem(path, detail["msg"])
    return Problem(path, seen + _wanted(detail["type"], context, detail["msg"]))


WANTED = {
    "greater_than_equal": "wanted at least {ge}",
    "less_than_equal": "wanted at most {le}",
    "string_too_short": "wanted at least {min_length} character",
    "string_too_long": "wanted at most {max_length} characters",
    "too_long": "wanted at most {max_length} entries, not {actual_length}",
    "too_short": "wanted at least {min_length} entry",
    "string_pattern_mismatch": "wanted a text that matches {pattern}",
    "literal_error": "wanted {expected}",
    "int_type": "wanted a whole number, without quotes",
    "int_from_float": "wanted a whole number, without quotes",
    "string_type": "wanted a text; put a number or true/false in quotes",
    "bool_type": "wanted true or false, without quotes",
    "list_type": "wanted a list",
    "dict_type": "wanted a map",
    "model_type": "wanted a map",
    "model_attributes_type": "wanted a map",
}
"""What was wanted, for each of pydantic's errors that our types can raise; filled from the error's context."""


def _wanted(kind: str, context: dict[str, Any], message: str) -> str:
    """What was wanted, in words; pydantic's own for an error that nobody foresaw."""
    if kind in WANTED:
        return WANTED[kind].format(**context)
    return message[:1].lower() + message[1:]


def _path(trail: tuple[int | str, ...]) -> str:
    path = ""
    for part in trail:
        if part == "[key]":
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _hidden(trail: tuple[int | str, ...]) -> bool:
    names = [part for part in trail if isinstance(part, str)]
    last = names[-1].lower() if names else ""
    return any(name in HIDDEN for name in names) or any(word in last for word in SECRET_WORDS)


def _nearest(trail: tuple[int | str, ...]) -> str:
    """The known field that the unknown one looks like, if there is one."""
    model: type[BaseModel] | None = WakalaService
    for part in trail[:-1]:
        if isinstance(part, int) or model is None:
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = _model_in(fields[part].annotation) if part in fields else None
    if model is None:
        return ""
    known = [field.alias or name for name, field in model.model_fields.items()]
    near = difflib.get_close_matches(str(trail[-1]), known, n=1)
    return (
        f"; did you mean {near[0]}?" if near else f"; known here: {', '.join(sorted(known))}"[:300]
    )


def _kind(value: object) -> str:
    return {
        type(None): "nothing",
        list: "a list",
        str: "a text",
        bool: "true or false",
        dict: "a map",
    }.get(type(value), "a number" if isinstance(value, int | float) else "something else")


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return _kind(value)
    shown = (
        repr(value)
        if isinstance(value, str)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
