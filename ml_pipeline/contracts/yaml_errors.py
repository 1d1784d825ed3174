"""Turns pydantic's list of complaints into sentences that name the file, the line and the entry."""

import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Contract = TypeVar("Contract", bound=BaseModel)
Place = Sequence[str | int]

_REASONS = {
    "missing": "is missing", "extra_forbidden": "is not known here", "tuple_type": "must be a list",
    "string_type": "must be text", "bool_parsing": "must be true or false", "model_type": "must be a mapping of names to values",
    "string_too_short": "must not be empty",
    "string_pattern_mismatch": "must be a name in lower case, of letters, digits and underscores",
}  # fmt: skip
_SAY_IT_ALL = ("missing", "extra_forbidden", "value_error")


def validated(contract: type[Contract], path: Path, content: Any, place: Place) -> Contract:
    """The entry at ``place`` in ``content``, which is what the YAML file ``path`` holds, as a ``contract``.

    Raises:
        ValueError: the entry is not as it must be; one line for each mistake, with file, line, entry and reason.
    """
    entry = content
    for piece in place:
        entry = entry[piece]
    try:
        return contract.model_validate(entry)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False)
        told = sorted((_told(path, content, place, mistake) for mistake in mistakes), key=lambda one: one[0])
        raise ValueError("\n".join(f"{path}, line {line}: {sentence}" for line, sentence in told)) from error


def _told(path: Path, content: Any, place: Place, mistake: ErrorDetails) -> tuple[int, str]:
    """The line of a mistake, and what is wrong with what."""
    pieces = _pieces_in(content, [*place, *mistake["loc"]])
    names = _names(content, pieces)
    if mistake["type"] == "missing":
        names.append(str(mistake["loc"][-1]))
    said = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    reason = _REASONS.get(mistake["type"], said)
    given = "" if mistake["type"] in _SAY_IT_ALL else f"; it is {reprlib.repr(mistake['input'])}"
    return _line(path, pieces), f"{', '.join(names)}: {reason}{given}."


def _pieces_in(content: Any, place: Place) -> list[str | int]:
    """The pieces of ``place`` that lead somewhere in ``content``: pydantic puts names of its own between them."""
    found: list[str | int] = []
    for piece in place:
        is_key = isinstance(content, Mapping) and piece in content
        if is_key or (isinstance(content, list) and isinstance(piece, int) and piece < len(content)):
            content = content[piece]
            found.append(piece)
    return found


def _names(content: Any, pieces: Place) -> list[str]:
    """``model rates``, ``column share``, ``test 2``: entries by their name, or by their number from 1."""
    names: list[str] = []
    for piece in pieces:
        content = content[piece]
        if isinstance(piece, str):
            names.append(piece)
            continue
        name = content.get("name") if isinstance(content, Mapping) else None
        names[-1] = f"{names[-1].removesuffix('s')} {name or piece + 1}"
    return names


def _line(path: Path, pieces: Place) -> int:
    node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    line = 1
    for piece in pieces:
        if isinstance(node, yaml.MappingNode):
            # What a merge (<<) brings in stands elsewhere; the line of the entry that merges it is near enough.
            found = [pair for pair in node.value if pair[0].value == str(piece)]
            key, node = found[0] if found else (node, None)
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(piece, int):
            node = node.value[piece]
            line = node.start_mark.line + 1
    return line
