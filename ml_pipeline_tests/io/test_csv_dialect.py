import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.contracts.delivery import LimitsContract
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.csv_dialect import CsvBytes, require_dialect

PATH, LIMITS = Path("orders/day.csv"), LimitsContract(max_cell_bytes=50, max_rows=50, max_columns=8)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=6) | st.sampled_from(
    ['"', ",", "\n", '""', "a\n\nb"]
)


@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_what_pythons_csv_module_writes_is_the_dialect_and_its_records_are_counted(
    rows: list[list[str]], end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([["a", "b", "c"], *rows])
    found = require_dialect(PATH, text.getvalue().encode(), LIMITS)
    assert found.header == ["a", "b", "c"]
    assert len(found.record_ends) == len(rows) + 1
    assert set(found.cells.tolist()) == {3}
    lines = 2
    for number, row in enumerate(rows):
        assert found.line_of_row(number) == lines
        lines += 1 + sum(cell.count("\n") for cell in row)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,b\n1,2\n3,\xff\n", "line 3: byte 0xff is no UTF-8"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "line 3: a quote is opened and never closed"),
        (b'a,b\n1,2\n3,x"y"\n', "line 3: a quote stands inside a cell"),
        (b'a,b\n1,2\n"3"x,4\n', "line 3: a quote stands inside a cell"),
        (b"a,b\r\n1,2\n3,4\r\n", "line 2: the line ends otherwise"),
        (b"a,b\n1,2\r3,4\n", "line 2: a carriage return without a line feed"),
        (b"a,b\n1,2\n3," + b"x" * 300 + b"\n", "line 3: a record of more than 200 bytes"),
        (b"a;b\n1;2\n", "line 1: the cells are parted by"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 3 cells, the header has 2"),
        (b"a,b,c,d,e,f,g,h,i\n", "9 columns, limits: max_columns allows 8"),
        (b"a,b\n" + b"1,2\n" * 60, "61 records, limits: max_rows allows 50"),
        (b"\n\n", "it has no header"),
    ],
)
def test_another_dialect_is_refused_with_its_line(content: bytes, message: str) -> None:
    with pytest.raises(DeliveryError) as refusal:
        require_dialect(PATH, content, LIMITS)
    assert message in str(refusal.value) and "orders/day.csv" in str(refusal.value)


@pytest.mark.parametrize(
    "content", [b"a,b", b"a,b\n", b"\xef\xbb\xbfa,b\n1,2", b'\xef\xbb\xbf"a",b\n', b'a,b\n"x, ""y""\nz",2\n\n']
)
def test_what_is_sound_passes(content: bytes) -> None:
    assert require_dialect(PATH, content, LIMITS).header == ["a", "b"]


def test_blank_lines_are_no_records() -> None:
    found = CsvBytes(b"a,b\r\n\r\n1,2\r\n", LIMITS)
    assert found.is_blank.tolist() == [False, True, False]
    assert found.line_of_row(0) == 3
