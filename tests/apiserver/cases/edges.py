"""Both sides of every limit in the CRD's schema, drawn from it: one good value and one bad one beside each edge."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wakala_api.crd import crd

Schema = dict[str, Any]
SPEC: Schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
SAMPLES = ("a", "A", "/a", "1", "a:1", "a.b", "10.0.0.0/8", "2027-03-31", "25%", "auto", "1Mi")
"""Texts of which each pattern of the schema matches one."""


@dataclass(frozen=True)
class Edge:
    """A value beside a limit."""

    what: str
    value: Any
    inside: bool


@dataclass(frozen=True)
class Field:
    """One field of the spec: where it stands, and the schema of each step down to it."""

    path: str
    steps: tuple[str | int, ...]
    schema: Schema
    nothing: bool
    """Whether a null means that it is absent, and may be."""

    def __str__(self) -> str:
        return self.path

    def spec(self, value: Any) -> dict[str, Any]:
        """The least spec with this value at this place."""
        return dict(_around(SPEC, self.steps, value))

    def edges(self) -> list[Edge]:
        """Values on both sides of each limit."""
        return [*_edges(self.schema), Edge("null", None, inside=self.nothing)]


def fields() -> list[Field]:
    """Every field of the spec, those in lists and maps included."""
    return list(_fields(SPEC, "spec", ()))


def _fields(schema: Schema, path: str, steps: tuple[str | int, ...]) -> Iterator[Field]:
    for name, inner in schema.get("properties", {}).items():
        here = (*steps, name)
        required = name in schema.get("required", ())
        yield Field(f"{path}.{name}", here, inner, nothing=not required)
        yield from _fields(inner, f"{path}.{name}", here)
        if "items" in inner:
            if "properties" not in inner["items"]:
                yield Field(f"{path}.{name}[0]", (*here, 0), inner["items"], nothing=False)
            yield from _fields(inner["items"], f"{path}.{name}[0]", (*here, 0))
        if "additionalProperties" in inner:
            key = "a0"
            value = inner["additionalProperties"]
            yield Field(f"{path}.{name}.{key}", (*here, key), value, nothing=True)


def least(schema: Schema, number: int = 0) -> Any:
    """A good value with as little in it as can be; different for different numbers where that is easy."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("x-kubernetes-int-or-string"):
        return max(schema["minimum"], 1)
    match schema.get("type"):
        case "object":
            return {
                name: least(schema["properties"][name], number)
                for name in schema.get("required", ())
            }
        case "array":
            return [least(schema["items"])] * schema.get("minItems", 0)
        case "integer":
            return max(schema["minimum"], 1)
        case "boolean":
            return True
    fitting = [text for text in SAMPLES if _fits(schema, text)]
    numbered = [text for text in (f"{text}{number}" for text in fitting) if _fits(schema, text)]
    return ((number and numbered) or fitting)[0]


def _fits(schema: Schema, text: str) -> bool:
    return re.fullmatch(schema.get("pattern", "(?s:.*)"), text) is not None


def _around(schema: Schema, steps: tuple[str | int, ...], value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        return [_around(schema["items"], rest, value)]
    if "additionalProperties" in schema:
        return {step: value}
    inner = _around(schema["properties"][step], rest, value)
    return least(schema) | {step: inner}


def _edges(schema: Schema) -> Iterator[Edge]:
    kind = schema.get("type")
    if "enum" in schema:
        yield from (Edge(f"the word {word}", word, inside=True) for word in schema["enum"])
        yield Edge("another word", "nope", inside=False)
    elif schema.get("x-kubernetes-int-or-string"):
        yield from _numbers(schema)
        yield Edge("a word", "nope", inside=False)
        yield Edge("true", value=True, inside=False)
    elif kind == "integer":
        yield from _numbers(schema)
        yield Edge("a number in quotes", str(least(schema)), inside=False)
        yield Edge("a fraction", 1.5, inside=False)
    elif kind == "boolean":
        yield from (Edge(str(word), word, inside=True) for word in (True, False))
        yield Edge("true in quotes", "true", inside=False)
        yield Edge("1", 1, inside=False)
    elif kind == "string":
        yield from _texts(schema)
    elif kind == "array":
        yield from _lists(schema)
    else:
        yield Edge("a text", "nope", inside=False)
        yield Edge("a list", [], inside=False)
        if "properties" in schema:
            yield Edge("an unknown field", least(schema) | {"nope": 1}, inside=False)
        if "additionalProperties" in schema:
            yield from _maps(schema)


def _numbers(schema: Schema) -> Iterator[Edge]:
    yield Edge("the least", schema["minimum"], inside=True)
    yield Edge("less than the least", schema["minimum"] - 1, inside=False)
    if "maximum" in schema:
        yield Edge("the most", schema["maximum"], inside=True)
        yield Edge("more than the most", schema["maximum"] + 1, inside=False)


def _texts(schema: Schema) -> Iterator[Edge]:
    yield Edge("a good text", least(schema), inside=True)
    yield Edge("a number", 1, inside=False)
    yield Edge("a list", [], inside=False)
    if not _fits(schema, "") or schema.get("minLength"):
        yield Edge("an empty text", "", inside=False)
    for sample in SAMPLES:
        if _fits(schema, sample) and _fits(schema, sample + sample[-1] * (schema["maxLength"])):
            longest = sample + sample[-1] * (schema["maxLength"] - len(sample))
            yield Edge("the longest", longest, inside=True)
            yield Edge("one character more", longest + sample[-1], inside=False)
            break
    if not _fits(schema, " \n"):
        yield Edge("another pattern", " \n", inside=False)
        yield Edge("a line break at its end", f"{least(schema)}\n", inside=False)


def _lists(schema: Schema) -> Iterator[Edge]:
    numbered = "enum" not in schema["items"] and "pattern" in str(schema["items"])
    items = [least(schema["items"], number) for number in range(1, schema["maxItems"] + 2)]
    yield Edge("a text", "nope", inside=False)
    yield Edge("a map", {}, inside=False)
    yield Edge("a null within", [None], inside=False)
    yield Edge("the most", items[:-1], inside=True)
    yield Edge("one more than the most", items, inside=False)
    if schema.get("minItems"):
        yield Edge("none", [], inside=False)
    if schema["x-kubernetes-list-type"] in {"set", "map"} and numbered:
        yield Edge("one twice", [items[0], items[0]], inside=False)


def _maps(schema: Schema) -> Iterator[Edge]:
    values = schema["additionalProperties"]
    entries = {f"a{n}": least(values) for n in range(schema["maxProperties"] + 1)}
    yield Edge("the most", dict(list(entries.items())[:-1]), inside=True)
    yield Edge("one more than the most", entries, inside=False)
    (rule,) = (str(check["rule"]) for check in schema["x-kubernetes-validations"])
    longest = int(re.findall(r"size\(\) <= (\d+)", rule)[0])
    yield Edge("a name too long", {"a" * (longest + 1): least(values)}, inside=False)
