import json
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.operations.land import land
from ml_pipeline.operations.quarantine import quarantined, release
from ml_pipeline.operations.releases import ReleaseError, typed_row, without_released
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.io.connectors.test_folder import contract

SET_ASIDE, NEXT = date(2024, 2, 27), date(2024, 5, 29)
ROWS = st.fixed_dictionaries(
    {
        "code": st.text(max_size=5) | st.none(), "quantity": st.integers(-(2**63), 2**63 - 1) | st.none(),
        "price": st.floats(allow_nan=False, allow_infinity=False) | st.none(), "is_gift": st.booleans() | st.none(),
        "day": st.dates() | st.none(), "known_at": st.datetimes(timezones=st.just(UTC)),
    }
)  # fmt: skip


@given(ROWS)
def test_a_row_comes_back_from_quarantine_as_it_went_in(row: dict[str, object]) -> None:
    content = json.dumps(row, default=str, sort_keys=True)
    assert typed_row(content, contract()) == row


def test_a_release_whose_row_is_gone_from_quarantine_stops_the_landing(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    (row,) = quarantined(site, "orders", SET_ASIDE)
    release(site, "orders", SET_ASIDE, [row.row], reason="seen by hand")
    entry = site.ledger("releases").entries()[0]
    site.ledger("releases").append(entry | {"rows": {"7": "0" * 64}})
    with pytest.raises(ReleaseError, match="row 7 of the quarantine of 2024-02-27 .* is no longer there as it was"):
        land(site, "orders", [NEXT])
    assert NEXT not in site.tables.published("raw/orders")


def test_released_rows_are_left_out_by_key_night_and_instant() -> None:
    schema = contract().arrow_schema().append(pa.field("score_date", pa.date32()))
    known = datetime(2024, 3, 1, tzinfo=UTC)
    rows = pa.Table.from_pylist(
        [{"code": code, "known_at": known, "score_date": NEXT} for code in ("c", "a", "b")], schema=schema
    )
    released = rows.slice(1, 1)
    assert without_released(rows, released, contract()).column("code").to_pylist() == ["c", "b"]
    assert without_released(rows, rows, contract()).num_rows == 0
    assert without_released(rows, rows.slice(0, 0), contract()) is rows
