"""Read an object that somebody wrote, and say in sentences what is wrong with it.

The same reading serves the command line (strict: an unknown field is a mistake) and the operator (tolerant: after a CRD
upgrade the API server adds fields that an older operator does not know). pydantic's errors are programmers' words; each
becomes one sentence that says what was seen, what was wanted, and what to do. Values that may be somebody's secret are not
repeated.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from wakala_api.base import printable
from wakala_api.names import API_VERSION, DNS_NAME, KIND
from wakala_api.service import Metadata, WakalaService

__all__ = ["Problem", "read", "unknown_fields"]

LONGEST = 60
SECRET_WORDS = ("password", "secret", "token", "credential")
HIDDEN = ("value", "env", "command", "args", "podTemplatePatch", "annotations")
WITH_PASSWORD = re.compile(r"://[^/]*@")
METADATA = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
"""The fields of every object's metadata; we read a few of them."""
LABEL_NAME = re.compile(rf"({DNS_NAME}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
METADATA_READ = frozenset(field.alias or name for name, field in Metadata.model_fields.items())
"""Those of them that we do read."""
MOST_ANNOTATIONS = 262144
"""Bytes of all annotations together."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    path: str
    """Where, such as spec.env[2].name."""
    sentence: str
    """What was seen, what was wanted, what to do."""
    trail: tuple[int | str, ...] = field(default=(), compare=False, repr=False)
    """The same place step by step, to find its line."""

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
    if head or not isinstance(document, dict):
        return head
    metadata = document["metadata"]
    found = _metadata(metadata) if strict else []
    known = {name: value for name, value in metadata.items() if name in METADATA_READ}
    try:
        service = WakalaService.model_validate(
            document | {"metadata": known},
            extra="forbid" if strict else "ignore",
            by_alias=True,
            by_name=False,
        )
    except ValidationError as error:
        found += [_problem(detail) for detail in error.errors(include_url=False)]
        return list(dict.fromkeys(found))
    return found or service


def _metadata(metadata: dict[str, Any]) -> list[Problem]:
    """What the API server would say of metadata that we do not read ourselves."""
    found = []

    def add(sentence: str, *trail: str) -> None:
        found.append(Problem(_path(("metadata", *trail)), sentence, ("metadata", *trail)))

    for name in metadata:
        if name not in METADATA:
            near = difflib.get_close_matches(str(name), METADATA, n=1)
            add("unknown field" + (f"; did you mean {near[0]}?" if near else ""), str(name))
    labels, annotations = metadata.get("labels"), metadata.get("annotations")
    for name, value in labels.items() if isinstance(labels, dict) else ():
        if not LABEL_NAME.fullmatch(str(name)):
            add(
                "wanted a label's name: at most 63 letters, digits, dashes, dots and underscores",
                "labels",
                str(name),
            )
        if isinstance(value, str) and not LABEL_VALUE.fullmatch(value):
            add(
                "wanted at most 63 letters, digits, dashes, dots and underscores",
                "labels",
                str(name),
            )
    for name in annotations if isinstance(annotations, dict) else ():
        if not LABEL_NAME.fullmatch(str(name).lower()):
            add(
                "wanted an annotation's name: at most 63 letters, digits, dashes, dots and underscores",
                "annotations",
                str(name),
            )
    if (
        isinstance(annotations, dict)
        and sum(len(f"{k}{v}".encode()) for k, v in annotations.items()) > MOST_ANNOTATIONS
    ):
        add(f"wanted at most {MOST_ANNOTATIONS} bytes of annotations together", "annotations")
    return found


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
            found.append(Problem(name, f"seen {_shown(seen)}, wanted {wanted}", (name,)))
    metadata = document.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        found.append(
            Problem("metadata.name", "seen none, wanted the service's name", ("metadata", "name"))
        )
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
    trail = tuple(part for part in detail["loc"] if part != "[key]")
    path = _path(trail)
    context = detail.get("ctx", {})
    seen = "" if _hidden(trail) else f"seen {_shown(detail['input'])}, "
    match detail["type"]:
        case "missing":
            return Problem(path, "seen nothing, wanted a value; this field is required", trail)
        case "extra_forbidden":
            return Problem(path, "unknown field" + _nearest(trail), trail)
        case "rule":
            return Problem(path, str(context["sentence"]), trail)
        case "repeated":
            return Problem(path, detail["msg"], trail)
    return Problem(path, seen + _wanted(detail["type"], context, detail["msg"]), trail)


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
        step = f"[{part}]" if isinstance(part, int) else printable(part)
        path += f".{step}" if path and not isinstance(part, int) else step
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
    if isinstance(value, str) and WITH_PASSWORD.search(value):
        return "an address with a password"
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
