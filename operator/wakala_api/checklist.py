"""The guide's checklist of a service, and what its owner has decided to live with.

Nothing acts on this section yet: a service that sets it gets `ChecklistPassed=Unknown, NotActedOnYet`.
"""

from typing import Annotated

from pydantic import Field

from wakala_api.base import Model, keyed, text

__all__ = ["Checklist", "Waiver"]


class Waiver(Model):
    """An item of the checklist that may fail for a while."""

    item: Annotated[str, text(pattern=r"^[A-Z][A-Za-z0-9]*$", most=63)]
    """The item's name, as `status.checklist` shows it."""
    reason: Annotated[str, text(most=512)]
    """Why."""
    expires: Annotated[
        str, text(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", most=10)
    ]
    """The last day it holds, such as 2027-03-31 (UTC)."""


class Checklist(Model):
    """The pre- and post-deployment checklist."""

    waivers: Annotated[
        list[Waiver] | None, Field(max_length=32, json_schema_extra=keyed("item"))
    ] = None
    """Items that may fail, each with its reason and its last day."""
