"""What the YAML beside the SQL asserts of a model's rows, in the words that dbt has for it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)

_IDENTIFIER = r"^[a-z][a-z0-9_]{0,62}$"
_Identifier = Annotated[str, Field(pattern=_IDENTIFIER)]
Word = Literal["unique", "not_null"]
_WORDS = get_args(Word)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number(value: Any) -> Any:
    if value is None or _is_number(value):
        return value
    raise ValueError(f"{value!r} is no number")


def _text_or_number(value: Any) -> Any:
    # YAML reads NO and ON as booleans and 2013-01-01 as a day; as text they would have meant something else.
    if isinstance(value, str) or _is_number(value):
        return value
    kind = type(value).__name__
    raise ValueError(f"YAML reads this as the {kind} {value}, which is neither text nor a number; write it in quotes")


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("must name at least one")
    return values


Number = Annotated[int | float, BeforeValidator(_number)]
TextOrNumber = Annotated[str | int | float, BeforeValidator(_text_or_number)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Range(_Frozen):
    """A closed range of numbers; either end may be open."""

    minimum: Number | None = None
    maximum: Number | None = None

    @model_validator(mode="after")
    def _holds_something(self) -> "Range":
        if self.minimum is None and self.maximum is None:
            raise ValueError("a range needs a minimum, a maximum or both")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum {self.minimum} is above maximum {self.maximum}, so no value would pass")
        return self


class Relationship(_Frozen):
    """A column of another model, in which each value of the tested column must occur."""

    to: _Identifier
    column: _Identifier


class AcceptedRange(_Frozen):
    """Each value lies in the range, or is missing; NaN lies in none."""

    accepted_range: Range


class AcceptedValues(_Frozen):
    """Each value is one of these, or is missing."""

    accepted_values: Annotated[tuple[TextOrNumber, ...], AfterValidator(_not_empty)]


class Relationships(_Frozen):
    """Each value occurs in a column of another model in the same night, or is missing."""

    relationships: Relationship


class UniqueTogether(_Frozen):
    """No two rows of a night are alike in these columns, missing values counted as alike: the grain of the model."""

    unique: Annotated[tuple[_Identifier, ...], AfterValidator(_not_empty)]
    name: str | None = Field(default=None, min_length=1)


class TrueExpression(_Frozen):
    """A boolean SQL expression over the columns of one row is true of each row, or is missing."""

    expression: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    name: str | None = Field(default=None, min_length=1)


def _kind(value: Any) -> str | None:
    if isinstance(value, str):
        return "word" if value in _WORDS else None
    entries = dict(value) if isinstance(value, Mapping | BaseModel) else {}
    keys = [key for key in entries if key != "name"]
    return str(keys[0]) if len(keys) == 1 else None


def _unknown(known: str) -> dict[str, str]:
    return {"custom_error_type": "unknown_test", "custom_error_message": f"no such test; write {known}"}


_COLUMN_TESTS = (
    "unique, not_null, {accepted_range: {minimum: .., maximum: ..}}, {accepted_values: [..]} "
    "or {relationships: {to: <model>, column: <name>}}"
)
ColumnTest = Annotated[
    Annotated[Word, Tag("word")]
    | Annotated[AcceptedRange, Tag("accepted_range")]
    | Annotated[AcceptedValues, Tag("accepted_values")]
    | Annotated[Relationships, Tag("relationships")],
    Discriminator(_kind, **_unknown(_COLUMN_TESTS)),
]
ModelTest = Annotated[
    Annotated[UniqueTogether, Tag("unique")] | Annotated[TrueExpression, Tag("expression")],
    Discriminator(
        _kind, **_unknown('{unique: [<column>, ..]} or {expression: "<boolean SQL>"}, each with a name if you like')
    ),
]
