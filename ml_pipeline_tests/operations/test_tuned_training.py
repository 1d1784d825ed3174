from datetime import date

import pytest

from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import training_blocks
from ml_pipeline.operations.tuned_training import (
    AppliedTuning,
    newest_tuning,
    require_unseen,
    tuning_from_json,
    with_tuning,
)
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON

TUNING = AppliedTuning(date(2024, 5, 1), "abc", date(2024, 3, 20), {"num_leaves": 2, "history_nights": 9})


def test_the_newest_night_counts_and_then_the_newest_record(shop_site: Site) -> None:
    for night, content_hash in (("2024-05-01", "a"), ("2024-04-01", "b"), ("2024-05-01", "c"), ("2024-05-09", "d")):
        shop_site.ledger("tunings").append(TUNING.as_json() | {"night": night, "content_hash": content_hash})

    def used(night: date) -> str | None:
        tuning = newest_tuning(shop_site, night)
        return tuning.content_hash if tuning else None

    days = [date(2024, 3, 31), date(2024, 4, 1), date(2024, 5, 1), date(2024, 5, 8), date(2024, 5, 9)]
    assert [used(night) for night in days] == [None, "b", "c", "c", "d"]


def test_what_is_written_is_read_again() -> None:
    assert tuning_from_json(TUNING.as_json()) == TUNING


def test_the_parameters_are_those_of_the_tuning_and_no_others_change(shop_site: Site) -> None:
    tuned = with_tuning(shop_site, TUNING).project.training
    own = shop_site.project.training
    assert tuned == own.model_copy(update={"lightgbm": own.lightgbm | {"num_leaves": 2}, "history_nights": 9})
    assert with_tuning(shop_site, None) is shop_site


def test_a_tuning_that_saw_later_blocks_is_refused(shop_site: Site) -> None:
    blocks = training_blocks(shop_site, SHOP_TRAINED_ON)
    require_unseen(AppliedTuning(SHOP_TRAINED_ON, "a", blocks.train.last, {}), blocks)
    with pytest.raises(ValueError, match="run ml-pipeline tune again"):
        require_unseen(AppliedTuning(SHOP_TRAINED_ON, "a", blocks.early_stop.first, {}), blocks)
