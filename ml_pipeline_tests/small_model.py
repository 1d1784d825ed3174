"""One model of five made-up features on twelve nights: quick to train, and its truth is known."""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.contracts.training import MemberContract, TrainingContract
from ml_pipeline.domain.calibration import Calibrator
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.scoring import Scorer
from ml_pipeline.domain.training import train_trees

FEATURES = (
    FeatureContract(name="rate", description="Share that came back.", window="28 days", unit="share", direction="increasing"),
    FeatureContract(name="copy_of_rate", description="The same.", window="28 days", unit="share", direction="increasing"),
    FeatureContract(name="age", description="Age.", unit="minutes", direction="decreasing"),
    FeatureContract(name="shelf", description="Shelf.", unit="code", type="category"),
    FeatureContract(name="number", description="Number of the order.", unit="code"),
)  # fmt: skip
_CONTRACT = TrainingContract(
    warmup_nights=0, early_stop_nights=1, calibrate_nights=1, test_nights=1, seed=1, max_trees=40, patience_trees=40,
    lightgbm={"num_leaves": 15, "min_data_in_leaf": 5, "learning_rate": 0.3},
)  # fmt: skip
_ROWS = 1200


@dataclass(frozen=True)
class SmallModel:
    """A scorer with the rows that it learned from; the outcome follows ``rate`` and nothing else."""

    scorer: Scorer
    rows: pa.Table
    labels: np.ndarray

    @property
    def matrix(self) -> np.ndarray:
        return self.scorer.encoder.transform(self.rows)

    @property
    def nights(self) -> np.ndarray:
        return self.rows.column(SCORE_DATE).to_numpy()


def small_model(*, is_constrained: bool = True) -> SmallModel:
    """``is_constrained`` False: the directions are declared all the same, but the trees were not held to them."""
    generator = np.random.default_rng(7)
    rate = generator.random(_ROWS)
    rows = pa.table({
        SCORE_DATE: np.datetime64("2024-03-01") + np.repeat(np.arange(12), _ROWS // 12), "order_id": np.arange(_ROWS),
        "rate": np.where(generator.random(_ROWS) < 0.05, np.nan, rate), "copy_of_rate": rate,
        "age": generator.integers(0, 900, _ROWS).astype(float), "shelf": generator.choice(["toys", "books"], _ROWS),
        "number": generator.permutation(_ROWS).astype(float),
    })  # fmt: skip
    labels = (generator.random(_ROWS) < rate).astype(float)
    encoder = fit_encoder(rows, FEATURES)
    matrix = encoder.transform(rows)
    held = encoder if is_constrained else _without_directions(encoder)
    trees = train_trees(_CONTRACT, held, train=(matrix, labels), early_stop=(matrix, labels), threads=1)
    return SmallModel(Scorer(encoder, trees.text, Calibrator("sigmoid", (1.0, 0.0), (), {}), 0.4), rows, labels)


def shelf_model() -> SmallModel:
    """The same rows, whose outcome follows the shelf too: every toy comes back."""
    found = small_model()
    labels = np.where(np.array(found.rows["shelf"].to_pylist()) == "toys", 1.0, found.labels)
    trees = grow(found.scorer.encoder, found.rows, labels)
    return SmallModel(replace(found.scorer, trees_text=trees), found.rows, labels)


def grow(encoder: FeatureEncoder, rows: pa.Table, labels: np.ndarray, later: pa.Table | None = None) -> str:
    """The text of trees that learned from ``rows``, and from ``later`` with the same labels, if given."""
    part, more = (encoder.transform(rows), labels), (encoder.transform(rows if later is None else later), labels)
    contract = _CONTRACT.model_copy(update={"grows_again": later is not None, "members": (MemberContract(trees=40),)})
    return train_trees(contract, encoder, train=part, early_stop=more, threads=1).text


def _without_directions(encoder: FeatureEncoder) -> FeatureEncoder:
    columns = [
        replace(column, contract=column.contract.model_copy(update={"direction": None})) for column in encoder.columns
    ]
    return FeatureEncoder(tuple(columns))
