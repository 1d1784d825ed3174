from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.proxies import FeatureStrength, feature_strengths, telltale_groups
from ml_pipeline.nights import nights_between

ROWS = 2000
GENERATOR = np.random.default_rng(7)
LABELS = (GENERATOR.random(ROWS) < 0.2).astype(np.float64)
NIGHTS = np.repeat(np.array(nights_between(date(2024, 5, 1), date(2024, 5, 10)), dtype="datetime64[D]"), ROWS // 10)


def strength(values: object, kind: str = "number") -> FeatureStrength:
    """What a feature with these values tells of the test rows; training rows are the same ones."""
    rows = pa.table({"feature": pa.array(values, pa.string() if kind == "category" else pa.float64())})
    feature = FeatureContract(name="feature", description="A feature.", type=kind)
    (found,) = feature_strengths((rows, LABELS), (rows, LABELS), [feature], model_auc=0.7)
    return found


def groups(values: object, labels: np.ndarray = LABELS, kind: pa.DataType | None = None) -> list[tuple[str, int]]:
    rows = pa.table({"feature": pa.array(values, kind or pa.float64())})
    feature = FeatureContract(name="feature", description="A feature.")
    return [(group.value, group.rows) for group in telltale_groups(rows, labels, NIGHTS, [feature])]


def test_noise_has_no_share_of_the_lift() -> None:
    found = strength(GENERATOR.random(ROWS))
    assert found.share_of_lift == 0
    assert 0.5 <= found.roc_auc < 0.54


@pytest.mark.parametrize("sign", [1, -1])
def test_the_label_itself_has_all_of_it_in_either_direction(sign: int) -> None:
    found = strength(sign * LABELS)
    assert found.roc_auc == 1
    assert found.share_of_lift == pytest.approx(0.5 / 0.2)


def test_a_category_counts_by_the_rate_of_its_level_in_training() -> None:
    found = strength(np.where(LABELS == 1, "b", np.where(NIGHTS[-1] > NIGHTS, "c", "a")), "category")
    assert (found.roc_auc, found.missing_roc_auc) == (1, 0.5)


def test_a_level_that_training_has_not_seen_is_a_missing_value_and_never_an_error() -> None:
    train = pa.table({"feature": ["a", "b"]})
    test = pa.table({"feature": ["c", "a", None, "b"]})
    feature = FeatureContract(name="feature", description="A feature.", type="category")
    (found,) = feature_strengths(
        (train, np.array([0.0, 1.0])), (test, np.array([1.0, 0.0, 0.0, 1.0])), [feature], model_auc=0.9
    )
    assert found.roc_auc == 1


def test_a_value_that_is_there_for_one_outcome_only_tells_by_being_there() -> None:
    for nothing in (None, float("nan")):
        values = [value if label else nothing for value, label in zip(GENERATOR.random(ROWS), LABELS, strict=True)]
        found = strength(values)
        assert (found.roc_auc, found.missing_roc_auc) == (0.5, 1)


def test_a_model_at_chance_has_no_lift_to_share() -> None:
    rows = pa.table({"feature": LABELS})
    feature = FeatureContract(name="feature", description="A feature.")
    (found,) = feature_strengths((rows, LABELS), (rows, LABELS), [feature], model_auc=0.5)
    assert np.isnan(found.share_of_lift)


def test_a_value_missing_for_a_rare_outcome_only_is_told_although_its_area_is_small() -> None:
    cancelled = np.flatnonzero(LABELS == 1)[::10]
    values = [None if place in set(cancelled) else 1.5 * place for place in range(ROWS)]
    assert strength(values).missing_roc_auc < 0.56
    assert groups(values) == [("missing", len(cancelled))]


def test_a_value_that_is_there_for_a_rare_outcome_only_is_told() -> None:
    fined = np.flatnonzero(LABELS == 1)[::10]
    values = [1.5 * place if place in set(fined) else None for place in range(ROWS)]
    assert groups(values) == [("not missing", len(fined))]
    assert groups([str(value) if value else None for value in values], kind=pa.string())[0] == (
        "not missing",
        len(fined),
    )


def test_a_flag_of_a_rare_outcome_is_told() -> None:
    flagged = np.isin(np.arange(ROWS), np.flatnonzero(LABELS == 1)[::10])
    assert groups(flagged.astype(np.float64)) == [("= 1.0", int(flagged.sum()))]


def test_the_calm_hours_of_an_honest_column_are_no_telltale() -> None:
    calm = np.isin(np.arange(ROWS), np.flatnonzero(LABELS == 0)[:100])
    assert groups(calm.astype(np.float64)) == []


def test_where_the_outcome_is_common_its_absence_is_what_is_told() -> None:
    flagged = np.isin(np.arange(ROWS), np.flatnonzero(LABELS == 1)[::10])
    assert groups(flagged.astype(np.float64), 1 - LABELS) == [("= 1.0", int(flagged.sum()))]


def test_one_bad_night_is_weather_and_no_telltale() -> None:
    is_storm = NIGHTS[0] == NIGHTS
    labels = np.where(is_storm, 1.0, LABELS)
    assert groups(np.where(is_storm, 3.0, 1.0), labels) == []


def test_few_rows_are_no_telltale() -> None:
    flagged = np.isin(np.arange(ROWS), np.flatnonzero(LABELS == 1)[:190:10])
    assert flagged.sum() == 19
    assert groups(flagged.astype(np.float64)) == []
