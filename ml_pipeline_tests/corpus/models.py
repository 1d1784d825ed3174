"""B22, B29, B30, B33: what is decided by the encoder, by the audits of a training, by the gate, and by the order of nights."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.project import ProjectContract
from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.calibration_choice import fit_calibrator
from ml_pipeline.domain.feature_matrix import fit_encoder
from ml_pipeline.domain.gate import judge
from ml_pipeline.domain.other_levels import count_others, landed_others
from ml_pipeline.domain.proxies import feature_strengths, telltale_groups
from ml_pipeline.domain.scoring import explain, raw_scores
from ml_pipeline.domain.training import TrainedTrees, train_trees
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.land import land
from ml_pipeline_tests.corpus.good_nights import as_csv, order_rows
from ml_pipeline_tests.corpus.workshop import TONIGHT, Bench, Drop, Outcome, Result, copy_of_workshop
from ml_pipeline_tests.domain.contests import TERMS, contestant, log_odds, made_rows, simple_models
from ml_pipeline_tests.small_model import shelf_model

_GENERATOR = np.random.default_rng(29)
_ROWS = 2000
_LABELS = (_GENERATOR.random(_ROWS) < 0.2).astype(np.float64)
_NIGHTS = np.repeat(np.array(nights_between(date(2024, 5, 1), date(2024, 5, 10)), dtype="datetime64[D]"), _ROWS // 10)
_FEATURE = FeatureContract(name="feature", description="A feature.")


@dataclass(frozen=True)
class ModelCase:
    """A row of the corpus that is no delivery: ``attempt`` says what came of it."""

    row: str
    name: str
    attempt: Callable[[Bench], Result]
    outcome: Outcome
    says: tuple[str, ...]


def _leak(values: np.ndarray) -> Callable[[Bench], Result]:
    def attempt(_: Bench) -> Result:
        rows = pa.table({"feature": pa.array(values, pa.float64(), from_pandas=True)})
        (found,) = feature_strengths((rows, _LABELS), (rows, _LABELS), [_FEATURE], model_auc=0.7)
        groups = telltale_groups(rows, _LABELS, _NIGHTS, [_FEATURE])
        told = f"{found.share_of_lift:.2f} of the model's lift alone; rows whose value tells: {len(groups)} groups"
        return Result("REJECT" if found.share_of_lift >= 0.95 or groups else "ACCEPT", told, None, ())

    return attempt


def _trained(labels: np.ndarray, values: np.ndarray) -> TrainedTrees:
    rows = pa.table({"feature": pa.array(values, pa.float64(), from_pandas=True)})
    encoder = fit_encoder(rows, [_FEATURE])
    lightgbm = {"learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 20}
    training = ProjectContract.model_fields["training"].annotation.model_validate({
        "warmup_nights": 0, "early_stop_nights": 1, "calibrate_nights": 1, "test_nights": 1, "seed": 1, "max_trees": 10,
        "patience_trees": 3, "lightgbm": lightgbm,
    })  # fmt: skip
    part = (encoder.transform(rows), labels)
    return train_trees(training, encoder, train=part, early_stop=part, threads=1)


def _refused(work: Callable[[], object]) -> Callable[[Bench], Result]:
    def attempt(_: Bench) -> Result:
        try:
            done = work()
        except ValueError as error:
            return Result("REJECT", str(error), None, ())
        return Result("ACCEPT", str(done), None, ())

    return attempt


def _empty_feature(_: Bench) -> Result:
    trees = _trained(_LABELS, np.full(_ROWS, np.nan))
    return Result("ACCEPT", f"gain of the feature: {trees.gain_by_feature['feature']:g}", None, ())


def _unseen_category(_: Bench) -> Result:
    """A shelf of no training: scored, named and counted; of the two rows the other one is of a known shelf."""
    model = shelf_model()
    rows = model.rows.slice(0, 2)
    place = rows.schema.get_field_index("shelf")
    rows = rows.set_column(place, "shelf", pa.array(["gifts", "toys"]))
    encoder = model.scorer.encoder
    matrix = encoder.transform(rows)
    reasons = explain(model.scorer, matrix, threads=1, landed=landed_others(encoder, rows, matrix))
    ((_, counts),) = count_others(encoder, rows).items()
    nameless = np.where(matrix == encoder.columns[place - 2].other_code, np.float32(np.nan), matrix)
    is_same = (raw_scores(model.scorer, matrix, threads=1) == raw_scores(model.scorer, nameless, threads=1)).all()
    told = [*(text for text in reasons[0] if "Shelf" in text), f"{counts['shelf']} of {rows.num_rows} rows counted"]
    told += ["probability as of a level that no split names"] if is_same else []
    return Result("ACCEPT", "; ".join(told), None, ())


def _challenger(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Bench], Result]:
    """The gate's verdict on a challenger that learned from changed labels, judged on the true ones."""

    def attempt(_: Bench) -> Result:
        generator = np.random.default_rng(30)
        risk = log_odds(np.full(2800, 0.15), generator.normal(0, 1.2, 2800))
        rows = made_rows(risk, nights=14)
        champion = contestant("champion", rows, log_odds(risk, generator.normal(0, 0.6, 2800)))
        baseline = contestant("baseline", rows, log_odds(risk, generator.normal(0, 1.5, 2800)), None)
        challenger = contestant("challenger", rows, change(risk))
        verdict = judge(challenger, baseline, champion, simple=simple_models(rows), terms=TERMS)
        outcome = "ACCEPT" if verdict.is_promoted else "REJECT"
        return Result(outcome, f"not promoted, the champion serves on: {verdict.reasons[0]}", None, ())

    return attempt


def _out_of_order(bench: Bench) -> Result:
    """TONIGHT is delivered and landed after the night that follows it; both hold what they hold in order."""
    next_night, contents = nights_back(TONIGHT, -1), []
    for order in ((TONIGHT, next_night), (next_night, TONIGHT)):
        bench.tries += 1
        site = copy_of_workshop(bench.workshop, bench.folder / str(bench.tries))
        orders = Drop(bench.folder / str(bench.tries) / "deliveries", site).orders
        orders.unlink()
        for night in order:
            orders.with_name(f"{night}.csv").write_bytes(as_csv(order_rows(night)))
            land(site, "orders", [night])
        published = site.tables.published("raw/orders", order)
        contents.append({night: published[night].content_hash for night in sorted(published)})
    faults = () if contents[0] == contents[1] else ("the order of arrival shows in the rows",)
    return Result("ACCEPT", "nights hold the same rows in either order of arrival", None, faults)


CASES = (
    ModelCase("B22", "a category that the model never saw", _unseen_category, "ACCEPT", ("= __other__ (landed value 'gifts')", "1 of 2 rows counted", "probability as of a level that no split names")),
    ModelCase("B29", "feature is the label", _leak(_LABELS), "REJECT", ("2.50 of the model's lift",)),
    ModelCase("B29", "feature that correlates 0.999", _leak(_LABELS + _GENERATOR.normal(0, 0.018, _ROWS)), "REJECT", ("2.50 of the model's lift",)),
    ModelCase("B29", "filled in after the outcome", _leak(np.where(_LABELS == 1, _GENERATOR.random(_ROWS), np.nan)), "REJECT", ("1 groups",)),
    ModelCase("B29", "an honest feature", _leak(_LABELS + _GENERATOR.normal(0, 3.0, _ROWS)), "ACCEPT", ("0 groups",)),
    ModelCase("B30", "all labels alike", _refused(lambda: _trained(np.zeros(_ROWS), _GENERATOR.random(_ROWS))), "REJECT", ("all 2000 labels of the train block are alike",)),
    ModelCase("B30", "one class to calibrate on", _refused(lambda: fit_calibrator(_GENERATOR.random(_ROWS), np.ones(_ROWS), _NIGHTS)), "REJECT", ("all 2000 labels of the calibrate block are alike",)),
    ModelCase("B30", "a feature without values", _empty_feature, "ACCEPT", ("gain of the feature: 0",)),
    ModelCase("B30", "labels flipped", _challenger(lambda risk: 1 - risk), "REJECT", ("not promoted, the champion serves on",)),
    ModelCase("B30", "prevalence times five", _challenger(lambda risk: np.minimum(risk * 5, 0.99)), "REJECT", ("not promoted, the champion serves on",)),
    ModelCase("B33", "D + 1 arrives before D", _out_of_order, "ACCEPT", ("in either order",)),
)  # fmt: skip
