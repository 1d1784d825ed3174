from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.io.drift_report import write_drift_report

NUMBERS, CATEGORIES = ("price", "empty"), ("kind",)


def rows(seed: int, shift: float = 0.0, kinds: str = "abc") -> pa.Table:
    generator = np.random.default_rng(seed)
    return pa.table({
        "price": generator.normal(shift, 1, 300), "empty": pa.nulls(300, pa.float64()),
        "kind": generator.choice(list(kinds), 300),
    })  # fmt: skip


def report(path: Path, current: pa.Table) -> dict[str, float]:
    return write_drift_report(
        path, reference=rows(1), current=current, numbers=NUMBERS, categories=CATEGORIES, psi_limit=0.25
    )


class _Title(HTMLParser):
    tags = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags += 1


@pytest.mark.filterwarnings("ignore")
def test_evidently_measures_and_writes_a_page(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "drift" / "2024-05-05.html"
    calm, moved = report(path, rows(2)), report(path, rows(2, shift=3.0, kinds="cd"))
    assert set(calm) == set(moved) == {"price", "kind"}, "a column without a value is left out"
    assert all(0 <= value < 0.25 for value in calm.values())
    assert all(value > 0.25 for value in moved.values())
    page = path.read_text(encoding="utf-8")
    parser = _Title()
    parser.feed(page)
    assert parser.tags > 3
    assert "price" in page
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.filterwarnings("ignore")
def test_a_night_on_which_nothing_can_be_compared_is_no_error(tmp_path: Path) -> None:
    empty = (
        rows(1).set_column(0, "price", pa.nulls(300, pa.float64())).set_column(2, "kind", pa.nulls(300, pa.string()))
    )
    assert report(tmp_path / "empty.html", empty) == {}
