"""The field reference: one table for each section of the spec, drawn from the types.

What a reader sees here, in `kubectl explain` and in the CRD is the same sentence, since it is written once: beside the field.
"""

from collections.abc import Iterator
from typing import Any

from wakala_api.base import Model
from wakala_api.names import API_VERSION, KIND
from wakala_api.service import WakalaServiceSpec, WakalaServiceStatus

__all__ = ["reference"]

Schema = dict[str, Any]


def reference() -> str:
    """The page as Markdown."""
    parts = [
        f"# {KIND} ({API_VERSION})",
        (
            "Drawn from the types by `make crds`; not to be edited. `spec.image` is the only required field. "
            "A default stands where the API server fills one in; the other sections say what their absence means."
        ),
    ]
    for title, model in (("spec", WakalaServiceSpec), ("status", WakalaServiceStatus)):
        node = model.model_json_schema(by_alias=True)
        parts += _sections(title, node, node.get("$defs", {}))
    parts += ["## Rules that join fields", *(f"- {message}" for message in _messages())]
    return "\n\n".join(_joined(parts)) + "\n"


def _joined(parts: list[str]) -> Iterator[str]:
    """Paragraphs, with list items kept together."""
    items: list[str] = []
    for part in parts:
        if part.startswith("- "):
            items.append(part)
            continue
        if items:
            yield "\n".join(items)
            items = []
        yield part
    if items:
        yield "\n".join(items)


def _sections(path: str, node: Schema, definitions: Schema) -> Iterator[str]:
    """A heading, a table, and the sections below it."""
    yield f"## {path}"
    yield _sentence(node.get("description"))
    rows = ["| field | type | default | what it is |", "|---|---|---|---|"]
    below: list[tuple[str, Schema]] = []
    required = set(node.get("required", ()))
    for name, field in node["properties"].items():
        kind, inner = _kind(field, definitions)
        default = "**required**" if name in required else _default(field)
        what = _sentence(field.get("description")).replace("|", "\\|")
        rows.append(f"| `{name}` | {kind} | {default} | {what} |")
        if inner is not None:
            below.append((f"{path}.{name}{'[]' if kind.startswith('list') else ''}", inner))
    yield "\n".join(rows)
    for inner_path, inner in below:
        yield from _sections(inner_path, inner, definitions)


def _default(field: Schema) -> str:
    default = field.get("default")
    if default is None:
        return ""
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return '`""`' if default == "" else f"`{default}`"


def _kind(field: Schema, definitions: Schema) -> tuple[str, Schema | None]:
    """The type in words with its limits, and the section it opens."""
    options = [option for option in field.get("anyOf", [field]) if option.get("type") != "null"]
    node = options[0]
    if "$ref" in node:
        return "section", definitions[node["$ref"].rpartition("/")[2]]
    if node.get("type") == "array":
        kind, inner = _kind(node["items"], definitions)
        most = node.get("maxItems") or field.get("maxItems")
        return f"list of {'entries' if inner else kind}, at most {most}", inner
    if node.get("type") == "object":
        return f"map, at most {node.get('maxProperties') or field.get('maxProperties')}", None
    if node.get("x-kubernetes-int-or-string"):
        return "number or text", None
    if "enum" in node:
        return " / ".join(f"`{value}`" for value in node["enum"]), None
    if node.get("type") == "integer":
        low, high = node.get("minimum"), node.get("maximum")
        return f"number from {low}" + (f" to {high}" if high is not None else ""), None
    if node.get("type") == "string":
        return f"text, at most {node.get('maxLength')}", None
    return str(node.get("type", "any")), None


def _messages() -> list[str]:
    """The sentences of all cross-field rules, each once."""
    found: dict[str, None] = {}
    queue: list[type[Model]] = [Model]
    while queue:
        model = queue.pop(0)
        found |= {rule.message: None for rule in model.constraints}
        queue += model.__subclasses__()
    return list(found)


def _sentence(description: str | None) -> str:
    return " ".join((description or "").split())
