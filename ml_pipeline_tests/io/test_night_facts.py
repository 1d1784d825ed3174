from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ml_pipeline.io.night_facts import night_facts
from ml_pipeline.io.table_store import NightInputs, TableStore

NIGHTS = [date(2024, 3, 1), date(2024, 3, 2)]
COLUMNS = ["x", "n", "flag", "text", "at", "gone"]


def made() -> pd.DataFrame:
    draw = np.random.default_rng(1)
    rows = 400
    return pd.DataFrame({
        "score_date": np.repeat(NIGHTS, rows // 2), "key": np.arange(rows),
        "x": np.where(draw.uniform(size=rows) < 0.2, None, draw.normal(0, 1e6, rows)), "n": draw.integers(-5, 5, rows),
        "flag": draw.choice([True, False, None], rows), "text": draw.choice(["a", "b", None], rows),
        "at": pd.Timestamp("2024-03-01", tz="UTC"), "gone": None,
    })  # fmt: skip


def test_facts_are_those_of_pandas(tmp_path: Path) -> None:
    frame = made()
    schema = pa.schema([
        ("score_date", pa.date32()), ("key", pa.int64()), ("x", pa.float64()), ("n", pa.int64()), ("flag", pa.bool_()),
        ("text", pa.string()), ("at", pa.timestamp("us", tz="UTC")), ("gone", pa.float64()),
    ])  # fmt: skip
    store = TableStore(tmp_path)
    rows = pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    store.publish("scores", rows, dict.fromkeys(NIGHTS, NightInputs("", {})), key=["key"])
    files = store.files("scores", NIGHTS)
    found = night_facts(files, schema, COLUMNS)
    assert list(found) == NIGHTS
    for night, part in frame.groupby("score_date"):
        facts = found[night]
        assert facts.rows == len(part)
        for name in ("x", "n", "flag"):
            values = part[name].dropna().astype(float)
            column = facts.columns[name]
            assert (column.known, column.least, column.most) == (len(values), values.min(), values.max())
            assert np.isclose(column.mean, values.mean(), rtol=1e-12)
        assert (facts.columns["text"].known, facts.columns["text"].distinct) == (part["text"].count(), 2)
        assert (facts.columns["at"].known, facts.columns["at"].mean) == (len(part), None)
        assert (facts.columns["gone"].known, facts.columns["gone"].mean) == (0, None)
    assert night_facts(files[::-1], schema, COLUMNS) == found, "neither order nor threads change a digit"
