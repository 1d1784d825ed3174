"""Features that tell the outcome by themselves: what a leak looks like from the side of the model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.roc import Floats, chance_error, roc_auc

_SIGMAS = 4.0
_FEWEST_ROWS, _FEWEST_NIGHTS = 20, 3
_PURE, _TIMES_PURER = 0.05, 10.0
_MOST_VALUES = 20


@dataclass(frozen=True)
class FeatureStrength:
    """What one feature tells by itself, as areas under the ROC curve of at least one half.

    Attributes:
        feature: its name.
        roc_auc: of its values, over the rows that have one; a category stands for the rate of its level in training.
        missing_roc_auc: of the mere fact that the value is missing.
        share_of_lift: the larger of the two, less one half, over the same of the model; 0 where chance explains it.
    """

    feature: str
    roc_auc: float
    missing_roc_auc: float
    share_of_lift: float


@dataclass(frozen=True)
class TelltaleGroup:
    """Rows that share a value, or lack one, and nearly all turned out alike.

    A column that is filled in, or left empty, once the outcome is known tells by it. Where the outcome is rare, no
    area under a curve shows that.
    """

    feature: str
    value: str
    rows: int
    nights: int
    positive_share: float


def feature_strengths(
    train: tuple[pa.Table, Floats], test: tuple[pa.Table, Floats], features: Sequence[FeatureContract],
    *, model_auc: float,
) -> tuple[FeatureStrength, ...]:  # fmt: skip
    """What each feature tells by itself of the test rows, the strongest first.

    Args:
        train: rows and labels from which categories get their rates.
        test: rows and labels that are to be told.
        features: the columns.
        model_auc: area under the ROC curve of the model on the test rows.
    """
    found = []
    for feature in features:
        values = _as_numbers(train, test[0], feature)
        is_missing = _is_missing(test[0].column(feature.name)).astype(np.float64)
        has_value = ~np.isnan(values)
        own = _beyond_chance(test[1][has_value], values[has_value])
        missing = _beyond_chance(test[1], is_missing)
        share = (max(own[1], missing[1]) - 0.5) / (model_auc - 0.5) if model_auc > 0.5 else float("nan")
        found.append(FeatureStrength(feature.name, own[0], missing[0], share))
    return tuple(sorted(found, key=lambda strength: (-strength.share_of_lift, strength.feature)))


def telltale_groups(
    rows: pa.Table, labels: Floats, nights: NDArray[np.datetime64], features: Sequence[FeatureContract]
) -> tuple[TelltaleGroup, ...]:
    """Groups of rows with one value, or with or without any, whose outcomes are nearly all the same.

    Only the rarer outcome is looked at: that nearly all turn out as most do is what an honest column says of its calm
    hours. A group has at least twenty rows on three nights, at most one row in twenty that turned out otherwise, ten
    times fewer than there are among all rows, and lies four standard errors from their rate. Numbers with more than
    twenty values have no groups of their own.
    """
    base = float(labels.mean())
    found = []
    for feature in features:
        for value, is_in in _groups(rows.column(feature.name).combine_chunks()):
            count = int(is_in.sum())
            if _FEWEST_ROWS <= count < len(labels):
                share = float(labels[is_in].mean())
                group = TelltaleGroup(feature.name, value, count, len(np.unique(nights[is_in])), share)
                if group.nights >= _FEWEST_NIGHTS and _is_pure(group, base):
                    found.append(group)
    return tuple(found)


def _as_numbers(train: tuple[pa.Table, Floats], rows: pa.Table, feature: FeatureContract) -> Floats:
    values = rows.column(feature.name)
    if feature.type != "category":
        return np.asarray(values.to_numpy(), dtype=np.float64)
    known = pa.table({"level": train[0].column(feature.name), "label": train[1]})
    rates = known.group_by("level").aggregate([("label", "mean")])
    places = pc.index_in(values.combine_chunks(), value_set=rates.column("level").combine_chunks(), skip_nulls=True)
    return np.asarray(rates.column("label_mean").take(places).to_numpy(), dtype=np.float64)


def _is_missing(values: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    # The trees take NaN for a missing value; so it is one here.
    return np.asarray(pc.is_null(values, nan_is_null=True).to_numpy(zero_copy_only=False))


def _beyond_chance(labels: Floats, values: Floats) -> tuple[float, float]:
    """The area, turned to be at least one half, and the same again unless chance explains it: then one half."""
    area = roc_auc(labels, values)
    if np.isnan(area):
        return 0.5, 0.5
    turned = max(area, 1 - area)
    return turned, turned if turned - 0.5 > _SIGMAS * chance_error(labels, values) else 0.5


def _groups(values: pa.Array) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    is_missing = _is_missing(values)
    yield "missing", is_missing
    yield "not missing", ~is_missing
    unique = values.drop_null().unique()
    if pa.types.is_string(values.type) or len(unique) <= _MOST_VALUES:
        codes = pc.index_in(values, value_set=unique).fill_null(-1).to_numpy(zero_copy_only=False)
        for place, value in enumerate(unique.to_pylist()):
            yield f"= {value}", codes == place


def _is_pure(group: TelltaleGroup, base: float) -> bool:
    share, of_all = (group.positive_share, base) if base <= 0.5 else (1 - group.positive_share, 1 - base)
    is_far = share - of_all > _SIGMAS * float(np.sqrt(base * (1 - base) / group.rows))
    return is_far and 1 - share <= min(_PURE, (1 - of_all) / _TIMES_PURER)
