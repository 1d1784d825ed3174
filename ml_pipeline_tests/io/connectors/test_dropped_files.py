from datetime import date
from pathlib import Path

import pytest

from ml_pipeline.contracts.source import SourceContract
from ml_pipeline.io.connectors.connector import DeliveryError
from ml_pipeline.io.connectors.dropped_files import as_dropped, require_each_once, require_one_a_night
from ml_pipeline_tests.io.connectors.test_folder import HEADER, LINE, contract

NIGHT = date(2024, 3, 31)


def nightly(files: str = "orders/{night}*.csv") -> SourceContract:
    return contract(files=files)


@pytest.mark.parametrize(
    ("files", "name", "night"),
    [
        ("orders/{night}*.csv", "orders/2024-03-31.csv", NIGHT), ("orders/{night}*.csv", "orders/2024-03-31_b.csv", NIGHT),
        ("orders/day={night}/*.csv", "orders/day=2024-03-31/part.csv", NIGHT), ("orders/*.csv", "orders/2024-03-31.csv", None),
    ],
)  # fmt: skip
def test_the_name_says_the_night(tmp_path: Path, files: str, name: str, night: date | None) -> None:
    assert as_dropped(tmp_path / name, tmp_path, nightly(files)).night == night


@pytest.mark.parametrize(
    "name",
    ["orders/2024-02-30.csv", "orders/day=[ab].csv", "orders/..csv", "orders/٢٠٢٤-03-31.csv", "orders/x2024-03-31.csv"],
)
def test_a_name_that_is_made_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DeliveryError, match="rename it"):
        as_dropped(tmp_path / name, tmp_path, nightly())


def deliver(root: Path, name: str, content: str) -> Path:
    path = root / "orders" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def test_the_same_rows_twice_are_refused_and_the_same_header_is_not(tmp_path: Path) -> None:
    header = [
        as_dropped(deliver(tmp_path, f"2024-03-{day}.csv", f"{HEADER}\n"), tmp_path, nightly()) for day in (28, 29)
    ]
    require_each_once(header, nightly())
    rows = [
        as_dropped(deliver(tmp_path, f"2024-03-{day}.csv", f"{HEADER}\n{LINE}\n"), tmp_path, nightly())
        for day in (30, 31)
    ]
    with pytest.raises(
        DeliveryError, match=r"orders/2024-03-31\.csv has the sha256 of orders/2024-03-30\.csv of night 2024-03-30"
    ):
        require_each_once([*header, *rows], nightly())


def test_two_files_of_a_night_need_a_list(tmp_path: Path) -> None:
    files = [
        as_dropped(deliver(tmp_path, name, name), tmp_path, nightly())
        for name in ("2024-03-31.csv", "2024-03-31_b.csv")
    ]
    with pytest.raises(DeliveryError, match="night 2024-03-31: .* are all files of it"):
        require_one_a_night({NIGHT: files}, [NIGHT], nightly())
    deliver(tmp_path, "SHA256SUMS", "".join(f"{'0' * 64}  {file.path.name}\n" for file in files))
    require_one_a_night({NIGHT: files}, [NIGHT], nightly())
