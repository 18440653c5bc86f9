"""What all our types share: one base model, cross-field rules, and what a list or a map promises.

The types serve three readers: the API server (as the CRD that `crd.py` draws from them), the operator and the offline
tools. So that all three say the same, a rule that joins several fields is a `Rule`: its CEL text goes into the CRD, its
Python predicate runs here, its message is one sentence for both. One table of good and bad objects is fed to both.

Models are tolerant by default: after a CRD upgrade the API server adds new defaults to every stored object, and an
older operator that refused them would refuse every service. The command line asks for the strict reading.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

__all__ = ["Model", "Rule", "given", "keyed", "list_keys", "printable", "text", "unique"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One cross-field rule of a model, said in CEL for the API server and in Python for everybody else."""

    cel: str
    """Expression over `self`; true when the object is fine."""
    holds: Callable[[Any], bool]
    """The same over the parsed model, whose absent sections carry their defaults."""
    message: str
    """One sentence: what is wanted, and what to do; shown by both."""
    cel_message: str | None = None
    """A CEL expression for a sentence with the values seen; the API server falls back to `message`."""
    say: Callable[[Any], str] | None = None
    """The same sentence over the parsed model."""


def given(path: str, otherwise: str) -> str:
    """CEL for a text field below `self`, or `otherwise` where one of its sections is absent.

    Written with `has`, as the API server can't estimate the cost of what `orValue` returns.
    """
    parts = path.split(".")
    there = " && ".join(f"has(self.{'.'.join(parts[: end + 1])})" for end in range(len(parts)))
    return f"({there} ? string(self.{path}) : '{otherwise}')"


def keyed(*keys: str) -> dict[str, Any]:
    """Schema words for a list whose items are told apart by `keys`, so that server-side apply merges them."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def unique() -> dict[str, Any]:
    """Schema words for a list of plain values, each at most once."""
    return {"x-kubernetes-list-type": "set"}


def list_keys(field: FieldInfo) -> tuple[str, ...] | None:
    """The merge keys of a keyed list, `()` for a set, None for a list whose order and repetition matter."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        return None
    if extra.get("x-kubernetes-list-type") == "set":
        return ()
    keys = extra.get("x-kubernetes-list-map-keys")
    return tuple(str(key) for key in keys) if isinstance(keys, list) else None


class Model(BaseModel):
    """Base of every type of ours: camelCase outside, snake_case inside, frozen, strict about types."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        frozen=True,
        strict=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    constraints: ClassVar[tuple[Rule, ...]] = ()
    """Cross-field rules, checked after the fields themselves."""
    free: ClassVar[frozenset[str]] = frozenset()
    """Maps that are kept as they are written, nulls included."""

    @model_validator(mode="before")
    @classmethod
    def _as_the_server_reads_it(cls, data: Any) -> Any:
        """A null is an absent field or entry and 3.0 is 3: what the API server makes of JSON before it looks closer."""
        if not isinstance(data, dict):
            return data
        return {
            key: value if key in cls.free else _without_nulls(value)
            for key, value in data.items()
            if value is not None
        }

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for name, field in type(self).model_fields.items():
            keys = list_keys(field)
            if keys is not None:
                _no_repeats(field.alias or name, getattr(self, name) or [], keys)
        broken = [
            rule.say(self) if rule.say else rule.message
            for rule in self.constraints
            if not rule.holds(self)
        ]
        if broken:
            raise PydanticCustomError("rule", "{sentence}", {"sentence": "; ".join(broken)})
        return self


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: inner for key, inner in value.items() if inner is not None}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def printable(text: str) -> str:
    """The text with what would end its line or move a terminal's cursor written out as an escape."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _no_repeats(name: str, items: list[Any], keys: tuple[str, ...]) -> None:
    """Refuse a list in which two items have the same key, as the API server does."""
    seen: set[Any] = set()
    for item in items:
        mark = tuple(getattr(item, key) for key in keys) if keys else item
        if mark in seen:
            shown = ", ".join(map(str, mark)) if keys else mark
            raise PydanticCustomError(
                "repeated",
                "seen {shown} more than once in {name}, wanted each at most once; remove the repeats",
                {"shown": str(shown), "name": name},
            )
        seen.add(mark)


def text(*, pattern: str | None = None, most: int = 253, least: int = 1) -> Any:
    """A bounded string field: between `least` and `most` characters, of the given RE2 pattern."""
    return Field(pattern=pattern, min_length=least, max_length=most)
