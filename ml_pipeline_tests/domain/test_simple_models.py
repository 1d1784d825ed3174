import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.simple_models import fit_logistic, fit_simple_models, strongest_features

NAMES = tuple(f"f{number:02}" for number in range(14))
FEATURES = (
    *(FeatureContract(name=name, description=name) for name in NAMES),
    FeatureContract(name="colour", description="colour", type="category"),
)


def made(rows: int = 4000, seed: int = 3) -> tuple[pa.Table, np.ndarray]:
    """Feature number n is n times as telling as the first one, the odd ones the other way round; a tenth is missing."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(rows, len(NAMES)))
    weights = np.arange(len(NAMES)) * 0.06 * np.where(np.arange(len(NAMES)) % 2, -1, 1)
    labels = (generator.random(rows) < 1 / (1 + np.exp(-(matrix @ weights)))).astype(float)
    matrix[generator.random(matrix.shape) < 0.1] = np.nan
    columns: dict[str, object] = {
        name: pa.array(matrix[:, number], from_pandas=True) for number, name in enumerate(NAMES)
    }
    return pa.table(columns | {"colour": pa.array(["red", "blue"] * (rows // 2))}), labels


def test_the_ten_features_that_tell_most_are_chosen_whichever_way_they_point() -> None:
    rows, labels = made()
    chosen = strongest_features(rows, labels, FEATURES)
    assert len(chosen) == 10
    assert set(NAMES[-6:]) <= set(chosen)
    assert NAMES[0] not in chosen
    assert "colour" not in chosen


def test_the_logistic_regression_is_scikit_learns_on_standardised_filled_columns() -> None:
    rows, labels = made()
    model = fit_logistic(rows, labels, FEATURES)
    frame = rows.to_pandas()[list(model.features)]
    filled = StandardScaler().fit(frame.fillna(frame.median()))
    oracle = LogisticRegression(max_iter=1000).fit(filled.transform(frame.fillna(frame.median())), labels)
    other = made(seed=9)[0].to_pandas()[list(model.features)]
    expected = oracle.predict_proba(filled.transform(other.fillna(frame.median())))[:, 1]
    assert model.probability(made(seed=9)[0]) == pytest.approx(expected, abs=1e-6)


def test_what_it_learns_is_the_train_blocks_and_later_rows_cannot_move_it() -> None:
    rows, labels = made()
    models = fit_simple_models(rows, labels, features=FEATURES, baseline_feature=NAMES[1])
    later = rows.slice(0, 10)
    alone = models.logistic.probability(later.slice(3, 1))[0]
    assert models.logistic.probability(later)[3] == pytest.approx(alone)


def test_constant_and_last_known_rate() -> None:
    rows, labels = made()
    models = fit_simple_models(rows, labels, features=FEATURES, baseline_feature="rate")
    probe = rows.slice(0, 3).append_column("rate", pa.array([0.2, None, 1.0]))
    found = models.probabilities(probe)
    share = labels.mean()
    assert found["constant"].tolist() == [share] * 3
    assert found["baseline"].tolist() == [0.2, share, 1.0]
    truth = np.array([0.0, 1.0, 1.0])
    assert models.measure(probe, truth) == {name: evaluate(truth, values) for name, values in found.items()}


def test_a_feature_that_never_varies_or_is_never_known_does_no_harm() -> None:
    rows, labels = made(400)
    flat = pa.table({"same": np.ones(400), "absent": pa.nulls(400, pa.float64()), "told": rows[NAMES[-1]]})
    features = [FeatureContract(name=name, description=name) for name in flat.column_names]
    assert np.isfinite(fit_logistic(flat, labels, features).probability(flat)).all()


def test_it_refuses_what_nothing_can_be_learned_from() -> None:
    rows, _ = made(40)
    with pytest.raises(ValueError, match="all 40 labels are alike"):
        fit_logistic(rows, np.zeros(40), FEATURES)
    with pytest.raises(ValueError, match="needs a numeric feature"):
        fit_logistic(rows, np.r_[np.zeros(20), np.ones(20)], FEATURES[-1:])
