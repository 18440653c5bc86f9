"""Quantities, percentages and the other small values that Kubernetes writes as text.

A Kubernetes quantity has many spellings (`1`, `1000m`, `1e0`) and the API server answers with its own. Everything that
compares, adds or prints quantities goes through `parse` and `canonical` here, so that a spelling is never a difference.
The annotated types at the end carry both faces of a value: what pydantic accepts and what the CRD's schema says.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = [
    "QUANTITY_PATTERN",
    "Count",
    "IntOrPercent",
    "Quantity",
    "canonical",
    "parse",
]

_SUFFIXES = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10) ** 3,
    "M": Decimal(10) ** 6,
    "G": Decimal(10) ** 9,
    "T": Decimal(10) ** 12,
    "Ki": Decimal(2) ** 10,
    "Mi": Decimal(2) ** 20,
    "Gi": Decimal(2) ** 30,
    "Ti": Decimal(2) ** 40,
}
_BINARY = ("Ti", "Gi", "Mi", "Ki")

QUANTITY_PATTERN = r"^([0-9]{1,15}m|[0-9]{1,15}(\.[0-9]{1,3})?(Ki|Mi|Gi|Ti|k|M|G|T|[eE][0-9])?)$"
"""Kubernetes' quantities without signs, without parts of a thousandth (the API server would round them up and the
value would never read back equal), and without the suffixes from peta on, which no container has."""


def parse(text: str | int) -> Decimal:
    """The number a quantity stands for, in its base unit (cores, bytes).

    Raises:
        ValueError: `text` is no quantity.
    """
    value = str(text)
    for suffix in sorted(_SUFFIXES, key=len, reverse=True):
        number = value.removesuffix(suffix) if suffix else value
        if number != value or not suffix:
            try:
                return Decimal(number) * _SUFFIXES[suffix]
            except ArithmeticError:
                break
    msg = f"{value!r} is no quantity"
    raise ValueError(msg)


def canonical(amount: Decimal) -> str:
    """One spelling for each amount: a binary suffix where it divides evenly, else the plain or the milli form."""
    if amount != amount.to_integral_value():
        return f"{int((amount * 1000).to_integral_value(ROUND_CEILING))}m"
    whole = int(amount)
    for suffix in _BINARY:
        step = int(_SUFFIXES[suffix])
        if whole and whole % step == 0:
            return f"{whole // step}{suffix}"
    return str(whole)


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _quantity(value: str) -> str:
    parse(value)
    return value


def _percent(value: Any) -> int | str:
    """A count or a share, else one sentence instead of one for each half of the union."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_PODS:
        return value
    if isinstance(value, str) and re.fullmatch(PERCENT_PATTERN, value):
        return value
    raise PydanticCustomError(
        "int_or_percent", "wanted a count from 0 to 1000 or a share such as 25%"
    )


MOST_PODS = 1000
PERCENT_PATTERN = r"^(100|[1-9]?[0-9])%$"

Quantity = Annotated[
    str,
    BeforeValidator(_text),
    Field(pattern=QUANTITY_PATTERN, max_length=32),
    AfterValidator(_quantity),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": QUANTITY_PATTERN,
            "maxLength": 32,
            "minimum": 0,
            "maximum": 10**15 - 1,
        }
    ),
]
"""An amount as Kubernetes writes it: `500m` of a core, `512Mi` of memory; a whole number may stand unquoted."""

IntOrPercent = Annotated[
    int | str,
    PlainValidator(_percent),
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": PERCENT_PATTERN,
            "maxLength": 4,
            "minimum": 0,
            "maximum": MOST_PODS,
        }
    ),
]
"""A count of pods, or a share of them such as `25%`."""

Count = Annotated[int, Field(ge=0, le=1000)]
"""A number of pods, 0 to 1000."""
