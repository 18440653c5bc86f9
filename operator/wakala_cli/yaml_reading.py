"""YAML as kubectl reads it, which is not quite as Python does.

kubectl turns YAML into JSON by go-yaml: `y` and `off` are booleans, `08` and `1e3` numbers, `13:20` and `2027-03-31` texts,
and the names in a map are texts whatever they look like. What can't become JSON is refused here, and so are maps that give
a name twice, anchors that hold themselves, and aliases that unfold beyond measure.
"""

import math
import re
from typing import Any

import yaml

__all__ = ["KubectlLoader", "checked", "resolve_as_kubectl"]

MOST_NODES = 100_000
"""Entries of one document with its aliases unfolded; etcd takes no object that has more."""
_TAG = "tag:yaml.org,2002:"
_RESOLVED = (
    ("bool", r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("int", r"[-+]?(0[bB]_*[01][01_]*|0[oO]_*[0-7][0-7_]*|0[xX]_*[0-9a-fA-F][0-9a-fA-F_]*|0[0-7_]*|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(\._*[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?_*[0-9][0-9_]*)?", "-+.0123456789"),
    ("float", r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", "-+."),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
)  # fmt: skip
_TRUE = {"y", "yes", "true", "on"}
_BASES = {"0b": 2, "0o": 8, "0x": 16}


class KubectlLoader(yaml.SafeLoader):
    """A safe loader with go-yaml's idea of what a plain word is."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A map whose names are texts."""
        return {
            _name(name, node): value
            for name, value in super().construct_mapping(node, deep).items()
        }

    def construct_text(self, node: yaml.ScalarNode) -> str:
        """The word itself."""
        return str(node.value)

    def construct_boolean(self, node: yaml.ScalarNode) -> bool:
        """One of YAML 1.1's words."""
        return str(node.value).lower() in _TRUE

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """A number in any of Go's bases."""
        text = node.value.replace("_", "")
        digits = text.lstrip("+-").lower()
        base = _BASES.get(digits[:2], 8 if digits.startswith("0") and digits != "0" else 10)
        amount = int(digits[2:] if digits[:2] in _BASES else digits, base)
        return -amount if text.startswith("-") else amount

    def construct_fraction(self, node: yaml.ScalarNode) -> float | str:
        """A number that JSON can hold; a text where it is larger than any."""
        text = node.value.replace("_", "").lower()
        if text.endswith((".inf", ".nan")):
            raise _refusal(f"seen {text}, which is no number that can be sent", node)
        amount = float(text)
        return amount if math.isfinite(amount) else str(node.value)


def _name(name: Any, node: yaml.Node) -> str:
    if isinstance(name, bool):
        return str(name).lower()
    if isinstance(name, str | int):
        return str(name)
    if isinstance(name, float):
        return f"{name:g}"
    raise _refusal("a name in a map wants to be a text", node)


def _refusal(sentence: str, node: yaml.Node) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, sentence, node.start_mark)


def resolve_as_kubectl(kind: type[yaml.SafeLoader | yaml.SafeDumper]) -> None:
    """Teach a loader to read plain words as kubectl does, or a dumper to quote texts that kubectl would not read as such."""
    for name, pattern, first in _RESOLVED:
        kind.add_implicit_resolver(f"{_TAG}{name}", re.compile(rf"^(?:{pattern})$"), list(first))


resolve_as_kubectl(KubectlLoader)
KubectlLoader.add_constructor(f"{_TAG}bool", KubectlLoader.construct_boolean)
KubectlLoader.add_constructor(f"{_TAG}int", KubectlLoader.construct_whole)
KubectlLoader.add_constructor(f"{_TAG}float", KubectlLoader.construct_fraction)
KubectlLoader.add_constructor(f"{_TAG}merge", KubectlLoader.construct_text)


def checked(node: yaml.Node) -> yaml.Node:
    """The document, if it can be unfolded.

    Raises:
        yaml.YAMLError: it gives a name twice, holds itself, or grows beyond measure.
    """
    _size(node, {})
    return node


def _size(node: yaml.Node, sizes: dict[int, int]) -> int:
    """How many entries a node unfolds to; 0 while it is being counted."""
    known = sizes.get(id(node))
    if known == 0:
        raise _refusal("an anchor holds itself", node)
    if known is not None:
        return known
    sizes[id(node)] = 0
    if isinstance(node, yaml.MappingNode):
        _once(node)
        inner = [part for pair in node.value for part in pair]
    else:
        inner = node.value if isinstance(node, yaml.SequenceNode) else []
    total = 1 + sum(_size(part, sizes) for part in inner)
    if total > MOST_NODES:
        raise _refusal(f"with its aliases unfolded it has more than {MOST_NODES} entries", node)
    sizes[id(node)] = total
    return total


def _once(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != f"{_TAG}merge":
            if key.value in seen:
                raise _refusal(f"seen {key.value!r} twice in one map; leave one of them out", key)
            seen.add(key.value)
