"""Made-up contests: nights of rows with a known risk, and models that know more or less of it."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.project import PromotionContract
from ml_pipeline.domain.contamination import ComparedRows, UsedNights
from ml_pipeline.domain.gate_findings import Contestant
from ml_pipeline.domain.splits import Block

FIRST = date(2024, 4, 20)
TERMS = PromotionContract(min_log_loss_gain=0.0005)
Floats = NDArray[np.float64]


def used(last: date, *, first: date = date(2024, 1, 1), purpose: str = "train", gap: int = 2) -> UsedNights:
    return UsedNights((Block(purpose, first, last),), gap)


BEFORE = used(FIRST - timedelta(days=3))


def made_rows(risk: Floats, nights: int, seed: int = 1) -> ComparedRows:
    """``risk`` of shape (rows,), in order of night, with labels drawn from it."""
    labels = (np.random.default_rng(seed).random(len(risk)) < risk).astype(np.float64)
    days = [FIRST + timedelta(days=int(night)) for night in np.arange(len(risk)) * nights // len(risk)]
    return ComparedRows(pa.table({"score_date": pa.array(days), "key": np.arange(len(risk))}), labels)


def contestant(
    name: str, rows: ComparedRows, probabilities: Floats, used_nights: UsedNights | None = BEFORE
) -> Contestant:
    return Contestant(name, rows, probabilities, probabilities >= 0.5, used_nights)


def log_odds(risk: Floats, noise: Floats) -> Floats:
    """``risk`` moved by ``noise`` in log odds."""
    return np.asarray(1 / (1 + np.exp(-(np.log(risk / (1 - risk)) + noise))))


def simple_models(rows: ComparedRows, probabilities: Floats | None = None) -> dict[str, Contestant]:
    """What a bundle brings along to compete: weak ones, or a logistic regression that says ``probabilities``."""
    share = np.full(len(rows.labels), 0.5)
    return {
        "constant": contestant("constant", rows, share),
        "logistic": contestant("logistic", rows, share if probabilities is None else probabilities),
    }
