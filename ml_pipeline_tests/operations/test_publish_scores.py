from datetime import date

import pyarrow as pa
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.publish_scores import OvertakenError, publish_scores
from ml_pipeline.operations.score import SCORES
from ml_pipeline.operations.site import Site

NIGHT, OTHER = date(2024, 5, 5), date(2024, 5, 6)


def rows(night: date, value: float) -> pa.Table:
    return pa.table({
        "score_date": pa.array([night], pa.date32()), "order_id": ["O1"], "probability": pa.array([value], pa.float64()),
    })  # fmt: skip


def test_a_run_that_was_overtaken_publishes_nothing(shop_site: Site) -> None:
    """Two runs of one night begin together; one stalls until the other has published something else."""
    before = shop_site.tables.published(SCORES)
    publish_scores(shop_site, rows(NIGHT, 0.1), {NIGHT: NightInputs("mine", {})}, before)
    late = pa.concat_tables([rows(NIGHT, 0.9), rows(OTHER, 0.9)])
    inputs = {NIGHT: NightInputs("theirs", {}), OTHER: NightInputs("theirs", {})}
    with pytest.raises(OvertakenError, match=r"1 nights were published by another run .* \(first: 2024-05-05\)"):
        publish_scores(shop_site, late, inputs, before)
    assert shop_site.tables.read(SCORES, [NIGHT, OTHER])["probability"].to_pylist() == [0.1]
    again = publish_scores(shop_site, late, inputs, shop_site.tables.published(SCORES))
    assert again.changed == (NIGHT, OTHER)


def test_a_night_that_another_run_published_from_the_same_inputs_is_there_and_makes_no_commit(shop_site: Site) -> None:
    """Also what a retry meets whose first try had committed and lost the answer."""
    before = shop_site.tables.published(SCORES)
    inputs = {NIGHT: NightInputs("same", {})}
    first = publish_scores(shop_site, rows(NIGHT, 0.1), inputs, before)
    second = publish_scores(shop_site, rows(NIGHT, 0.1), inputs, before)
    assert (second.changed, second.unchanged, second.version) == ((), (NIGHT,), first.version)
