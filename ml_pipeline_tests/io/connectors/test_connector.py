from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.io.connectors.connector import DeliveryHeldError, HeldFile, shown


@given(st.text(st.characters(), max_size=500))
def test_what_is_shown_is_short_printable_and_one_line(text: str) -> None:
    assert len(shown(text)) <= 203
    assert shown(text).isascii() and shown(text).isprintable()


@pytest.mark.parametrize("name", ["orders/a\x1b[31m.csv", "orders/\udcff.csv", "orders/\u202e.csv"])
def test_the_end_of_a_path_is_kept_because_the_name_stands_there(name: str) -> None:
    told = shown(Path("/very" * 100) / name)
    assert told.startswith("...") and told.endswith(".csv") and told.isascii() and told.isprintable()


def test_held_files_are_named_with_their_reasons() -> None:
    assert (
        str(DeliveryHeldError((HeldFile("a.csv", "0", ("x", "y")), HeldFile("b.csv", "1", ("z",)))))
        == "a.csv: x, y; b.csv: z"
    )
