"""From the types to the CRD: a structural schema, drawn from the pydantic models and refused when it is not sound.

pydantic's JSON Schema has references, titles, nullable unions and words that a structural schema does not take. They are
inlined, dropped or collapsed here. What the API server could only find out later is refused at once: a string, list or map
without a limit (the cost of CEL rules is counted from limits), a field without a description, a union.

`python -m wakala_api.crd` writes `crds/`; with `--check` it fails if what is there is not what would be written.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml

from wakala_api.base import Model
from wakala_api.names import GROUP, KIND, PLURAL, VERSION
from wakala_api.reference import reference
from wakala_api.service import WakalaService, WakalaServiceSpec, WakalaServiceStatus

__all__ = ["SchemaError", "crd", "main", "schema", "text"]

Schema = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2] / "crds"
CRD_FILE = f"{GROUP}_{PLURAL}.yaml"
REFERENCE_FILE = "README.md"
COLUMNS = [
    ("Ready", "string", ".status.conditions[?(@.type=='Ready')].status", 0),
    ("Healthy", "string", ".status.conditions[?(@.type=='Healthy')].status", 0),
    ("Replicas", "integer", ".status.replicas", 0),
    ("Image", "string", ".spec.image", 0),
    ("Age", "date", ".metadata.creationTimestamp", 0),
    ("Why", "string", ".status.conditions[?(@.type=='Ready')].reason", 1),
    ("Health", "string", ".status.conditions[?(@.type=='Healthy')].reason", 1),
]
"""Printer columns: name, type, JSON path, priority (1 is shown by `-o wide`)."""
INT_OR_STRING = "x-kubernetes-int-or-string"
FREE = "x-kubernetes-preserve-unknown-fields"


class SchemaError(Exception):
    """The types can't be drawn as a sound structural schema; the message says where and why."""


def crd() -> Schema:
    """The CustomResourceDefinition of WakalaService.

    Raises:
        SchemaError: a type is not fit for it.
    """
    root = {
        "type": "object",
        "description": _sentence(WakalaService.__doc__),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": schema(WakalaServiceSpec),
            "status": schema(WakalaServiceStatus) | {"default": {"observedGeneration": -1}},
        },
        "x-kubernetes-validations": _rules(WakalaService),
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["ws"],
                "categories": ["all", "wakala"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path}
                        | ({"priority": priority} if priority else {})
                        for name, kind, path, priority in COLUMNS
                    ],
                }
            ],
        },
    }


def schema(model: type[Model]) -> Schema:
    """The structural schema of one model.

    Raises:
        SchemaError: the model is not fit for it.
    """
    return _model(
        model, model.model_json_schema(by_alias=True), _models(model), path=model.__name__
    )


def text() -> str:
    """The CRD as YAML."""
    head = "# Drawn from operator/wakala_api by `make crds`; not to be edited.\n"
    return head + yaml.safe_dump(crd(), sort_keys=False, width=110, allow_unicode=True)


def _models(root: type[Model]) -> dict[str, type[Model]]:
    """Every model by its name; the names are the keys of pydantic's `$defs`."""
    found: dict[str, type[Model]] = {}
    queue: list[type[Model]] = [Model]
    while queue:
        model = queue.pop()
        found[model.__name__] = model
        queue += model.__subclasses__()
    return found | {root.__name__: root}


def _model(
    model: type[Model],
    node: Schema,
    models: dict[str, type[Model]],
    *,
    path: str,
    item: bool = False,
) -> Schema:
    """One object with its fields and rules."""
    definitions = node.get("$defs", {})
    required = list(node.get("required", []))
    drawn: Schema = {"type": "object", "description": _sentence(node.get("description"))}
    if required:
        drawn["required"] = required
    drawn["properties"] = {
        name: _field(field, definitions, models, path=f"{path}.{name}", item=item)
        for name, field in node["properties"].items()
    }
    if rules := _rules(model):
        drawn["x-kubernetes-validations"] = rules
    return drawn


def _rules(model: type[Model]) -> list[Schema]:
    return [
        {"rule": rule.cel, "message": rule.message}
        | ({"messageExpression": rule.cel_message} if rule.cel_message else {})
        for rule in model.constraints
    ]


def _field(
    node: Schema, definitions: Schema, models: dict[str, type[Model]], *, path: str, item: bool
) -> Schema:
    """One field: its value, its description, and its default where it may have one."""
    if not node.get("description"):
        raise SchemaError(f"{path}: a field without a description")
    drawn = _value(node, definitions, models, path=path, item=item)
    drawn = {"description": _sentence(node["description"])} | {
        name: value for name, value in drawn.items() if name != "description"
    }
    default = node.get("default")
    if default is not None and not item:
        drawn["default"] = default
    return drawn


def _value(
    node: Schema, definitions: Schema, models: dict[str, type[Model]], *, path: str, item: bool
) -> Schema:
    """The schema of a value: a reference, a nullable, a list, a map or a plain one."""
    if "anyOf" in node:
        options = [option for option in node["anyOf"] if option.get("type") != "null"]
        if len(options) != 1:
            raise SchemaError(f"{path}: a union, which no structural schema takes")
        outer = {name: value for name, value in node.items() if name != "anyOf"}
        return _value(options[0] | outer, definitions, models, path=path, item=item)
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return _model(
            models[name], definitions[name] | {"$defs": definitions}, models, path=path, item=item
        )
    if node.get("type") == "array":
        return _list(node, definitions, models, path=path)
    if node.get("type") == "object":
        return _map(node, definitions, models, path=path)
    return _plain(node, path)


def _list(
    node: Schema, definitions: Schema, models: dict[str, type[Model]], *, path: str
) -> Schema:
    if "maxItems" not in node:
        raise SchemaError(f"{path}: a list without a limit")
    kind = node.get("x-kubernetes-list-type", "atomic")
    drawn: Schema = {name: node[name] for name in ("minItems", "maxItems") if name in node}
    items = _value(node["items"], definitions, models, path=f"{path}[]", item=True)
    keys = node.get("x-kubernetes-list-map-keys")
    missing = set(keys or ()) - set(items.get("required", ()))
    if missing:
        raise SchemaError(f"{path}: list keys {sorted(missing)} are not required")
    drawn |= {"type": "array", "x-kubernetes-list-type": kind, "items": items}
    return drawn | ({"x-kubernetes-list-map-keys": keys} if keys else {})


def _map(node: Schema, definitions: Schema, models: dict[str, type[Model]], *, path: str) -> Schema:
    most = node.get("maxProperties")
    if most is None:
        raise SchemaError(f"{path}: a map without a limit")
    if node.get(FREE):
        return {"type": "object", FREE: True, "maxProperties": most}
    names = node.get("propertyNames", {})
    if "maxLength" not in names:
        raise SchemaError(f"{path}: a map whose names have no limit")
    values = node.get("additionalProperties") or {}
    if node.get("patternProperties"):
        ((pattern, values),) = node["patternProperties"].items()
        names = names | {"pattern": pattern}
    drawn = {
        "type": "object",
        "maxProperties": most,
        "additionalProperties": _value(values, definitions, models, path=f"{path}{{}}", item=True),
    }
    checks = [f"name.size() <= {names['maxLength']}"]
    if "pattern" in names:
        checks.append(f"name.matches({_cel(names['pattern'])})")
    rule = f"self.all(name, {' && '.join(checks)})"
    wanted = f"names of at most {names['maxLength']} characters"
    if "pattern" in names:
        wanted += f" that match {names['pattern']}"
    return drawn | {"x-kubernetes-validations": [{"rule": rule, "message": f"wanted {wanted}"}]}


def _cel(value: str) -> str:
    """A CEL string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


_PLAIN = ("type", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", INT_OR_STRING)


def _plain(node: Schema, path: str) -> Schema:
    drawn = {name: node[name] for name in _PLAIN if name in node}
    if "const" in node:
        drawn |= {"enum": [node["const"]]}
    for word in ("exclusiveMinimum", "exclusiveMaximum"):
        if word in node:
            raise SchemaError(
                f"{path}: {word}, for which the API server has another spelling; use ge and le"
            )
    if re.search(r"\(\?[=!<]", node.get("pattern", "")):
        raise SchemaError(f"{path}: a pattern that RE2 does not know")
    kind = drawn.get("type")
    if kind == "string" and not {"enum", "maxLength"} & drawn.keys():
        raise SchemaError(f"{path}: a text without a limit")
    if kind == "integer" and "minimum" not in drawn:
        raise SchemaError(f"{path}: a number without a least value")
    if kind == "number" or (kind is None and not drawn.get(INT_OR_STRING)):
        raise SchemaError(f"{path}: a value of no known type")
    return drawn


def _sentence(description: str | None) -> str:
    """A docstring as one paragraph."""
    return " ".join((description or "").split())


def main(arguments: list[str]) -> int:
    """Write `crds/`, or with `--check` compare it in both directions; 1 when it is not fresh."""
    wanted = {CRD_FILE: text(), REFERENCE_FILE: reference()}
    if "--check" not in arguments:
        ROOT.mkdir(exist_ok=True)
        for name, content in wanted.items():
            (ROOT / name).write_text(content)
        return 0
    there = {path.name: path.read_text() for path in ROOT.glob("*")}
    stale = sorted(name for name in wanted | there if wanted.get(name) != there.get(name))
    if stale:
        sys.stderr.write(f"crds/ is not what the types say: {', '.join(stale)}; run `make crds`\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
