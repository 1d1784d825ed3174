"""What the corpus does not reach: texts in other layouts, empty files, text that is no UTF-8."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ml_pipeline.contracts.source import load_sources
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.file_gate import open_gated
from ml_pipeline.io.parquet_files import read_parquet_file
from ml_pipeline_tests.corpus.good_nights import return_rows
from ml_pipeline_tests.corpus.workshop import TONIGHT

SOURCE = load_sources(Path(__file__).parents[1] / "corpus" / "sources.yml")["returns"]
GOOD = return_rows(TONIGHT)


def read(folder: Path, rows: pa.Table) -> pa.Table:
    path = folder / "day.parquet"
    pq.write_table(rows, path)
    with open_gated(path, folder, SOURCE.limits, settle_seconds=0) as file:
        return read_parquet_file(path, file, SOURCE)[0]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD).equals(GOOD)
    assert read(tmp_path, GOOD.slice(0, 0)).equals(GOOD.slice(0, 0))


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_text_in_another_layout_is_the_same_text(tmp_path: Path, kind: pa.DataType) -> None:
    codes = GOOD.column("product_code").cast(kind)
    assert read(tmp_path, GOOD.set_column(2, "product_code", codes)).equals(GOOD)


def test_text_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    raw = pa.array([b"\xff\xfe", *[b"NA"] * (GOOD.num_rows - 1)], pa.binary())
    broken = pa.StringArray.from_buffers(len(raw), raw.buffers()[1], raw.buffers()[2])
    with pytest.raises(DeliveryError, match="cannot be read as returns"):
        read(tmp_path, GOOD.set_column(2, "product_code", broken))
