"""Services drawn from the CRD's own schema: whatever the schema lets through can come up here."""

from typing import Any

from hypothesis import strategies as st

from wakala_api.crd import crd

SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 99999) | st.text("abc{}$\"'\n=: ", max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "image", "env", "value", "resources", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)
POD_FIELDS = st.sampled_from(
    [
        "containers",
        "initContainers",
        "volumes",
        "hostNetwork",
        "securityContext",
        "nodeName",
        "hostAliases",
        "x",
    ]
)
HOSTILE = st.text("abcXYZ019 \n\r\t\\\"'{}$()`;#%=:\u2028é", min_size=0, max_size=40)
"""Texts that would break out of a program's text, if one were glued together."""


def of(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that the schema allows, its cross-field rules aside."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return st.dictionaries(POD_FIELDS, JSON, max_size=2)
    if schema.get("x-kubernetes-int-or-string"):
        whole = st.integers(schema["minimum"], min(schema["maximum"], 10**6))
        return whole | st.from_regex(schema["pattern"], fullmatch=True).filter(
            lambda text: len(text) <= schema["maxLength"]
        )
    match schema.get("type"):
        case "object" if "properties" in schema:
            return _object(schema)
        case "object":
            names = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
            return st.dictionaries(names, of(schema["additionalProperties"]), max_size=2)
        case "array":
            most = min(schema["maxItems"], 3)
            return st.lists(of(schema["items"]), min_size=schema.get("minItems", 0), max_size=most)
        case "integer":
            return st.integers(schema["minimum"], schema.get("maximum", 10**6))
        case "boolean":
            return st.booleans()
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "pattern" in schema:
        least, most = schema.get("minLength", 0), schema["maxLength"]
        drawn = st.from_regex(schema["pattern"], fullmatch=True)
        return drawn.filter(lambda text: least <= len(text) <= most)
    return HOSTILE.filter(lambda text: len(text) >= schema.get("minLength", 0))


def _object(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    required = set(schema.get("required", ()))
    fields = {name: of(inner, name) for name, inner in schema["properties"].items()}
    return st.fixed_dictionaries(
        {name: value for name, value in fields.items() if name in required},
        optional={name: value for name, value in fields.items() if name not in required},
    )


SPECS = of(SPEC)
PLAIN_SPECS = SPECS.map(lambda spec: {k: v for k, v in spec.items() if k != "podTemplatePatch"})
