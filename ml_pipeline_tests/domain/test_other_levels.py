from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.feature_matrix import OTHER, FeatureEncoder
from ml_pipeline.domain.other_levels import count_others, in_words, landed_others, shown_value, without_others
from ml_pipeline.domain.scoring import explain, raw_scores
from ml_pipeline_tests.small_model import SmallModel, grow, shelf_model

SHELF = 3
NEW = "gifts\u202e"


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return shelf_model()


def with_shelves(rows: pa.Table, shelves: list[str | None]) -> pa.Table:
    shelf = [*shelves, *rows["shelf"].to_pylist()[len(shelves) :]]
    return rows.set_column(rows.schema.get_field_index("shelf"), "shelf", pa.array(shelf, pa.string()))


def of_before(encoder: FeatureEncoder) -> FeatureEncoder:
    return FeatureEncoder(tuple(replace(column, other=None) for column in encoder.columns))


def test_unseen_categories_are_scored_as_before_there_was_a_level_for_them_bit_for_bit(model: SmallModel) -> None:
    rows = with_shelves(model.rows, [NEW, "ribbons", None, OTHER])
    encoder, before = model.scorer.encoder, of_before(model.scorer.encoder)
    now, then = (raw_scores(model.scorer, one.transform(rows), threads=1) for one in (encoder, before))
    assert now.tobytes() == then.tobytes()
    assert encoder.transform(rows)[:4, SHELF].tolist()[:2] == [2.0, 2.0]
    # The shelf matters to this model: the same rows on a shelf that it knows are scored otherwise.
    known = raw_scores(model.scorer, encoder.transform(with_shelves(rows, ["toys"] * 4)), threads=1)
    assert (known[:4] != now[:4]).all()


def test_a_training_is_the_same_with_and_without_the_level(model: SmallModel) -> None:
    # Trees that grow on two blocks meet rows whose shelf the encoder, which knows the first block alone, has not seen.
    later = with_shelves(model.rows, [NEW] * 300)
    encoders = (model.scorer.encoder, of_before(model.scorer.encoder))
    assert (encoders[0].transform(later)[:300, SHELF] == 2.0).all()
    for second in (None, later):
        now, then = (grow(encoder, model.rows, model.labels, second) for encoder in encoders)
        assert now == then


def test_what_landed_is_kept_for_those_rows_alone(model: SmallModel) -> None:
    encoder, rows = model.scorer.encoder, with_shelves(model.rows, ["toys", NEW, None])
    landed = landed_others(encoder, rows, encoder.transform(rows))
    assert set(landed) == {SHELF}
    assert landed[SHELF][:4].tolist() == [None, NEW, None, None]
    assert landed_others(encoder, model.rows, model.matrix) == {}


@pytest.mark.parametrize("rows_at_once", [1, 7, 8192])
def test_a_reason_names_the_level_and_what_landed(
    model: SmallModel, monkeypatch: pytest.MonkeyPatch, rows_at_once: int
) -> None:
    monkeypatch.setattr("ml_pipeline.domain.scoring._ROWS_AT_ONCE", rows_at_once)
    rows = with_shelves(model.rows, ["toys", "books", NEW, "x" * 5000, None]).slice(0, 20)
    matrix = model.scorer.encoder.transform(rows)
    landed = landed_others(model.scorer.encoder, rows, matrix)
    reasons = explain(model.scorer, matrix, threads=2, landed=landed)
    told = [next(text.split(" = ")[1] for text in row if "Shelf" in text) for row in reasons]
    assert told[:5] == [
        "toys", "books", f"{OTHER} (landed value 'gifts\\u202e')", f"{OTHER} (landed value '{'x' * 40}...')", "not known",
    ]  # fmt: skip
    assert {text.split(" = ")[1] for text in explain(model.scorer, matrix, threads=1)[2] if "Shelf" in text} == {OTHER}


def test_rows_are_counted_by_night_and_column_with_or_without_a_level_for_them(model: SmallModel) -> None:
    shelves = model.rows["shelf"].to_pylist()
    shelves[:3], shelves[150], shelves[160] = [NEW, "ribbons", OTHER], NEW, None
    rows = with_shelves(model.rows, shelves)
    expected = {date(2024, 3, 1): {"shelf": 3}, date(2024, 3, 2): {"shelf": 1}}
    assert count_others(model.scorer.encoder, rows) == expected
    assert count_others(of_before(model.scorer.encoder), rows) == expected
    assert count_others(model.scorer.encoder, model.rows.select([SCORE_DATE, "shelf"])) == {}


def test_to_drift_an_unseen_category_is_what_it_was_before_there_was_a_level(model: SmallModel) -> None:
    encoder, rows = model.scorer.encoder, with_shelves(model.rows, [NEW, None])
    assert np.array_equal(
        without_others(encoder, encoder.transform(rows)), of_before(encoder).transform(rows), equal_nan=True
    )


def test_values_are_shown_as_the_model_took_them(model: SmallModel) -> None:
    shelf, rate = (model.scorer.encoder.columns[place] for place in (SHELF, 0))
    assert [shown_value(shelf, value) for value in ("toys", None, NEW)] == ["toys", None, in_words(NEW)]
    assert shown_value(rate, 0.25) == 0.25
    assert shown_value(replace(shelf, other=None), NEW) == NEW
