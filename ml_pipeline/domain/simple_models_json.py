"""Simple models as text: numbers and names, written with the bundle and read back strictly. There is no pickle in it."""

import math
from dataclasses import asdict
from typing import Any

from ml_pipeline.domain.simple_models import LOGISTIC_FEATURES, LogisticModel, SimpleModels

_PER_FEATURE = ("medians", "means", "deviations", "weights")


def simple_models_as_json(models: SimpleModels) -> dict[str, Any]:
    """Plain values, from which ``simple_models_from_json`` makes the same models again."""
    return asdict(models)


def simple_models_from_json(content: Any) -> SimpleModels:
    """Rebuild stored simple models.

    Raises:
        ValueError: something is missing, added, of another type, no finite number, or of another length than the names.
    """
    _require_exactly(content, {"positive_share", "baseline_feature", "logistic"}, "simple models")
    logistic = content["logistic"]
    _require_exactly(logistic, {"features", *_PER_FEATURE, "intercept"}, "the logistic regression")
    features = tuple(_name(each) for each in _listed(logistic, "features"))
    if not 0 < len(features) <= LOGISTIC_FEATURES or len(set(features)) != len(features):
        raise ValueError(f"the logistic regression has 1 to {LOGISTIC_FEATURES} features, none twice, not {features}")
    numbers = {name: _numbers(logistic, name, len(features)) for name in _PER_FEATURE}
    if min(numbers["deviations"]) <= 0:
        raise ValueError("a standard deviation of the logistic regression is not above 0")
    share = _number(content["positive_share"], "positive_share")
    if not 0 <= share <= 1:
        raise ValueError(f"the positive share {share} is no probability")
    fitted = LogisticModel(features, **numbers, intercept=_number(logistic["intercept"], "intercept"))
    return SimpleModels(share, _name(content["baseline_feature"]), fitted)


def _require_exactly(content: Any, names: set[str], told: str) -> None:
    if not isinstance(content, dict) or set(content) != names:
        raise ValueError(f"{told} must say {sorted(names)} and nothing else")


def _listed(content: dict[str, Any], name: str) -> list[Any]:
    values = content[name]
    if type(values) is not list:
        raise ValueError(f"{name} of the logistic regression is no list")
    return values


def _numbers(content: dict[str, Any], name: str, count: int) -> tuple[float, ...]:
    values = _listed(content, name)
    if len(values) != count:
        raise ValueError(f"{name} of the logistic regression has {len(values)} entries for {count} features")
    return tuple(_number(value, name) for value in values)


def _number(value: Any, name: str) -> float:
    # JSON reads 1e400 as infinity, which would make every probability of a row 0, 1 or NaN.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} holds {value!r}, which is no finite number")
    return float(value)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} is no name of a feature")
    return value
