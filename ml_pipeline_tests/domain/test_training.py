from functools import cache

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.project import TrainingContract
from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.training import TrainedTrees, train_trees, without_thread_count

CONTRACT = TrainingContract(
    warmup_nights=0,
    early_stop_nights=1,
    calibrate_nights=1,
    test_nights=1,
    seed=7,
    max_trees=60,
    patience_trees=10,
    lightgbm={
        "learning_rate": 0.2,
        "num_leaves": 7,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
    },
)
FEATURES = tuple(
    FeatureContract(name=name, description=name, type=kind, direction=direction)
    for name, kind, direction in (
        ("signal", "number", "increasing"), ("noise", "number", None), ("group", "category", None),
    )
)  # fmt: skip


@cache
def rows(seed: int) -> tuple[pa.Table, np.ndarray]:
    generator = np.random.default_rng(seed)
    signal, noise = generator.normal(size=1500), generator.normal(size=1500)
    group = generator.choice(["a", "b", "c"], 1500)
    chance = 1 / (1 + np.exp(-(signal + (group == "c"))))
    labels = (generator.random(1500) < chance).astype(float)
    return pa.table({"signal": signal, "noise": np.where(noise > 1, np.nan, noise), "group": group}), labels


def encoder() -> FeatureEncoder:
    return fit_encoder(rows(1)[0], FEATURES)


def trees(*, contract: TrainingContract = CONTRACT, threads: int = 1, order: np.ndarray | None = None) -> TrainedTrees:
    table, labels = rows(1)
    order = np.arange(len(labels)) if order is None else order
    return train_trees(
        contract, encoder(), train=(encoder().transform(table)[order], labels[order]),
        early_stop=(encoder().transform(rows(2)[0]), rows(2)[1]), threads=threads,
    )  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_the_same_rows_give_the_same_bytes_on_any_number_of_threads(threads: int) -> None:
    assert trees(threads=threads).text == trees().text


def test_the_order_of_the_rows_is_part_of_the_model() -> None:
    """Why callers must sort: were this ever to pass, the total order would not be needed."""
    shuffled = np.random.default_rng(3).permutation(1500)
    assert trees(order=shuffled).text != trees().text


def test_another_seed_gives_other_trees() -> None:
    assert trees(contract=CONTRACT.model_copy(update={"seed": 8})).text != trees().text


def test_the_number_of_trees_is_chosen_on_the_early_stop_rows() -> None:
    trained = trees()
    booster = lightgbm.Booster(model_str=trained.text)
    assert 1 <= trained.tree_count < CONTRACT.max_trees
    assert booster.num_trees() == trained.tree_count
    truth, guess = rows(2)[1], booster.predict(encoder().transform(rows(2)[0]))
    loss = -np.mean(truth * np.log(guess) + (1 - truth) * np.log(1 - guess))
    assert trained.early_stop_log_loss == pytest.approx(loss, abs=1e-9)


def test_gain_is_named_in_the_order_of_the_columns_and_the_signal_leads() -> None:
    gains = trees().gain_by_feature
    assert list(gains) == ["signal", "noise", "group"]
    assert gains["signal"] > 2 * max(gains["noise"], gains["group"])


def test_the_trees_keep_the_declared_direction() -> None:
    booster = lightgbm.Booster(model_str=trees().text)
    ladder = np.linspace(-4, 4, 200, dtype=np.float32)
    for group in range(3):
        scores = booster.predict(np.column_stack([ladder, np.zeros(200), np.full(200, group)]))
        assert np.all(np.diff(scores) >= -1e-12)


def test_a_category_is_a_category_and_not_a_number() -> None:
    text = trees().text
    infos = next(line for line in text.splitlines() if line.startswith("feature_infos="))
    # LightGBM writes the range of a number as [low:high], and the codes of a category one by one (-1: missing).
    numbers, codes = infos.removeprefix("feature_infos=").split()[:2], infos.split()[2]
    assert all(info.startswith("[") for info in numbers)
    assert set(codes.split(":")) - {"-1"} == {"0", "1", "2"}


def test_only_the_thread_count_is_taken_out_of_the_text() -> None:
    text = "tree\n[num_threads: 4]\n[num_leaves: 7]\n[num_threads_x: 3]\n"
    assert without_thread_count(text) == "tree\n[num_threads: 0]\n[num_leaves: 7]\n[num_threads_x: 3]\n"
