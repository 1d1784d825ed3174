from functools import cache

import lightgbm
import numpy as np
import pyarrow as pa
import pytest

from ml_pipeline.contracts.sql_models import FeatureContract
from ml_pipeline.contracts.training import MemberContract, TrainingContract
from ml_pipeline.domain.feature_matrix import FeatureEncoder, fit_encoder
from ml_pipeline.domain.training import TrainedTrees, recency_weights, train_trees, without_thread_count

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


def test_a_row_weighs_half_as_much_as_one_that_is_a_half_life_younger() -> None:
    nights = np.array(["2024-03-01", "2024-03-11", "2024-03-21"], dtype="datetime64[D]")
    weights = recency_weights(nights, 10.0)
    assert weights is not None
    assert weights[1:] / weights[:-1] == pytest.approx([2.0, 2.0])
    assert weights.mean() == pytest.approx(1.0)
    assert recency_weights(nights, None) is None


def test_recency_weights_need_the_nights() -> None:
    with pytest.raises(ValueError, match="recency_half_life_nights"):
        trees(contract=CONTRACT.model_copy(update={"recency_half_life_nights": 10.0}))


def test_weighted_training_follows_the_young_rows() -> None:
    """The signal turns round half-way: old rows say the opposite of young ones."""
    table, labels = rows(1)
    turned = np.where(np.arange(len(labels)) < 750, 1 - labels, labels)
    nights = np.datetime64("2024-03-01") + np.arange(1500) // 50
    matrix = encoder().transform(table)

    def loss(half_life: float | None) -> float:
        contract = CONTRACT.model_copy(update={"recency_half_life_nights": half_life})
        return train_trees(
            contract, encoder(), train=(matrix, turned), early_stop=(matrix[750:], labels[750:]), threads=1,
            nights=(nights, nights[750:]),
        ).early_stop_log_loss  # fmt: skip

    assert loss(3.0) < loss(None) - 0.02


MEMBERS = (MemberContract(), MemberContract(trees=25, lightgbm={"num_leaves": 2, "feature_fraction": 0.5}))


@pytest.mark.parametrize("grows_again", [False, True])
def test_members_are_averaged_and_a_fixed_number_of_trees_is_fixed(grows_again: bool) -> None:
    def of(*members: MemberContract, seed: int) -> TrainedTrees:
        changes = {"members": members, "grows_again": grows_again, "seed": seed}
        return trees(contract=CONTRACT.model_copy(update=changes))

    both, first, second = of(*MEMBERS, seed=7), of(MEMBERS[0], seed=7), of(MEMBERS[1], seed=8)
    matrix = encoder().transform(rows(2)[0])
    said = [lightgbm.Booster(model_str=one.text).predict(matrix, raw_score=True) for one in (both, first, second)]
    assert said[0] == pytest.approx((said[1] + said[2]) / 2, abs=1e-12)
    assert second.tree_count == 25
    assert both.tree_count == first.tree_count + 25


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_members_have_the_same_bytes_on_any_number_of_threads(threads: int) -> None:
    contract = CONTRACT.model_copy(update={"members": MEMBERS, "grows_again": True})
    assert trees(contract=contract, threads=threads).text == trees(contract=contract).text


def test_trees_that_grow_again_learn_from_the_early_stop_rows_too() -> None:
    table, labels = rows(1)
    matrix, (other, truth) = encoder().transform(table), rows(2)

    def text(turned: np.ndarray, *, grows_again: bool) -> str:
        contract = CONTRACT.model_copy(update={"grows_again": grows_again, "members": (MemberContract(trees=10),)})
        return train_trees(
            contract, encoder(), train=(matrix, labels), early_stop=(encoder().transform(other), turned), threads=1
        ).text

    assert text(truth, grows_again=True) != text(1 - truth, grows_again=True)
    assert text(truth, grows_again=False) == text(1 - truth, grows_again=False)
