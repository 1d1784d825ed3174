import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.contracts.training import TrainingContract
from ml_pipeline.domain.calibration import Calibrator
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.scoring import Scorer, ranks, raw_scores, reason_codes, score_matrix
from ml_pipeline.domain.training import train_trees

FEATURES = (
    FeatureContract(name="rate", description="Share that came back.", window="28 days", unit="share"),
    FeatureContract(name="age", description="Age of the order.", window="schedule", unit="minutes"),
    FeatureContract(name="colour", description="Colour.", window="schedule", unit="code", type="category"),
    FeatureContract(name="size", description="Size.", window="reference", unit="cm"),
)
CONTRACT = TrainingContract(
    warmup_nights=0, early_stop_nights=1, calibrate_nights=1, test_nights=1, seed=1, max_trees=10, patience_trees=5,
    lightgbm={"num_leaves": 5, "min_data_in_leaf": 20},
)  # fmt: skip


def rows() -> pa.Table:
    generator = np.random.default_rng(0)
    return pa.table({
        "rate": generator.random(600), "age": generator.integers(0, 900, 600).astype(float),
        "colour": generator.choice(["red", "blue"], 600), "size": np.where(generator.random(600) < 0.3, np.nan, 4.0),
    })  # fmt: skip


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    table = rows()
    encoder = fit_encoder(table, FEATURES)
    matrix = encoder.transform(table)
    labels = (np.random.default_rng(1).random(600) < matrix[:, 0]).astype(float)
    trees = train_trees(CONTRACT, encoder, train=(matrix, labels), early_stop=(matrix, labels), threads=1)
    return Scorer(encoder, trees.text, Calibrator("sigmoid", (1.0, -0.5), (), {}), 0.4)


def test_probability_is_the_calibrated_score(scorer: Scorer) -> None:
    matrix = scorer.encoder.transform(rows())
    scored = score_matrix(scorer, matrix, threads=1)
    assert np.array_equal(scored.score, raw_scores(scorer, matrix, threads=2))
    assert np.array_equal(scored.probability, scorer.calibrator.probability(scored.score))
    assert scored.reasons.shape == (600, 3)


def test_a_row_is_scored_alike_alone_and_among_others(scorer: Scorer) -> None:
    matrix = scorer.encoder.transform(rows())
    whole = score_matrix(scorer, matrix, threads=2)
    for row in (0, 7, 599):
        alone = score_matrix(scorer, matrix[row : row + 1], threads=1)
        assert alone.score[0] == whole.score[row]
        assert list(alone.reasons[0]) == list(whole.reasons[row])


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0.1, 0.2, 0.5, 0.9])), max_size=40))
def test_ranks_count_each_night_from_one_and_keep_the_order_of_equals(pairs: list[tuple[int, float]]) -> None:
    nights = np.array([np.datetime64("2024-03-01") + night for night, _ in pairs], dtype="datetime64[D]")
    probabilities = np.array([probability for _, probability in pairs])
    expected = np.zeros(len(pairs), dtype=int)
    for night in set(nights.tolist()):
        mine = [row for row in range(len(pairs)) if nights[row] == np.datetime64(night)]
        for place, row in enumerate(sorted(mine, key=lambda row: -probabilities[row]), start=1):
            expected[row] = place
    assert ranks(nights, probabilities).tolist() == expected.tolist()


def encoder_of(*features: FeatureContract) -> FeatureEncoder:
    return fit_encoder(rows().slice(0, 5), features)


def test_reasons_name_the_strongest_pushes_in_order_with_direction_value_and_window() -> None:
    encoder = encoder_of(*FEATURES)
    code = encoder.columns[2].levels.index("red")
    matrix = np.array([[0.25, 90.0, code, np.nan]], dtype=np.float32)
    words = reason_codes(encoder, matrix, np.array([[0.5, -0.1, -0.9, 0.3]]))[0]
    assert list(words) == [
        "lowers: Colour = red", "raises: Share that came back, 28 days = 0.25", "raises: Size = not known",
    ]  # fmt: skip


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_every_reason_is_among_the_largest_contributions(seed: int) -> None:
    contributions = np.random.default_rng(seed).normal(size=(30, 4))
    encoder = encoder_of(*FEATURES)
    matrix = np.zeros((30, 4), dtype=np.float32)
    words = reason_codes(encoder, matrix, contributions)
    for row in range(30):
        strongest = np.argsort(-np.abs(contributions[row]))[:3]
        about = [FEATURES[column].description.rstrip(".") for column in strongest]
        assert [text.split(": ")[1].split(",")[0].split(" =")[0] for text in words[row]] == about
        signs = ["raises" if contributions[row, column] > 0 else "lowers" for column in strongest]
        assert [text.split(":")[0] for text in words[row]] == signs


@pytest.mark.parametrize("count", [1, 2])
def test_a_model_of_fewer_than_three_features_still_gives_three_places(count: int) -> None:
    encoder = encoder_of(*FEATURES[:count])
    words = reason_codes(encoder, np.zeros((2, count), dtype=np.float32), np.ones((2, count)))
    assert words.shape == (2, 3)


def test_no_rows_give_no_scores(scorer: Scorer) -> None:
    nothing = np.empty((0, 4), dtype=np.float32)
    assert ranks(np.array([], dtype="datetime64[D]"), np.array([])).shape == (0,)
    assert reason_codes(scorer.encoder, nothing, np.empty((0, 4))).shape == (0, 3)
    scored = score_matrix(scorer, nothing, threads=1)
    assert (scored.score.shape, scored.probability.shape, scored.reasons.shape) == ((0,), (0,), (0, 3))
