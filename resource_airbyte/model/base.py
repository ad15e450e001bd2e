"""What every wire shape has in common."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel


class Wire(BaseModel):
    """A JSON body of the API. Unknown fields are ignored: an older or newer Airbyte may send more than we know."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="ignore")

    def wire(self) -> dict[str, Any]:
        """The JSON object as it travels: wire names, absent fields left out (clients crash on an explicit null)."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def fold(value: Any) -> Any:
    """Airbyte reads its enumerations without regard to case."""
    return value.lower() if isinstance(value, str) else value


EnumT = TypeVar("EnumT")
AnyCase = Annotated[EnumT, BeforeValidator(fold)]


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
# An empty one is none: some connectors and clients write it so.
Namespace = Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)]


# The API's numbers have 64 bits, and so have those of the databases.
Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
Count = Annotated[int, Field(ge=0, lt=2**63)]


class Pagination(Wire):
    """A page of a list: how many rows, after how many."""

    page_size: Count | None = None
    row_offset: Count | None = None
