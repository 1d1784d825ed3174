import numpy as np
import pytest

from ml_pipeline.domain.ablation import GroupAblation, ablate_groups
from ml_pipeline_tests.small_model import SmallModel, small_model

GROUPS = {"rates": ("rate", "copy_of_rate"), "one": ("rate",), "shelves": ("shelf",)}


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return small_model()


def ablated(model: SmallModel, seed: int = 1, threads: int = 1) -> dict[str, GroupAblation]:
    found = ablate_groups(
        model.scorer, GROUPS, matrix=model.matrix, labels=model.labels, nights=model.nights, seed=seed, threads=threads
    )
    return {one.group: one for one in found}


def test_what_the_outcome_follows_is_missed_and_the_interval_says_so(model: SmallModel) -> None:
    found = ablated(model)
    assert next(iter(found)) == "rates"
    assert found["rates"].features == ("rate", "copy_of_rate")
    assert found["rates"].log_loss_lost.low > 0.1
    assert found["rates"].roc_auc_lost.low > 0.1
    assert found["shelves"].log_loss_lost.high < 0.05


def test_a_group_that_is_shuffled_together_has_no_stand_in(model: SmallModel) -> None:
    found = ablated(model)
    assert found["rates"].log_loss_lost.estimate > 1.5 * found["one"].log_loss_lost.estimate


def test_the_estimate_lies_in_its_interval(model: SmallModel) -> None:
    for one in ablated(model).values():
        for lost in (one.log_loss_lost, one.roc_auc_lost):
            assert lost.low <= lost.estimate <= lost.high


def test_the_same_seed_gives_the_same_numbers_on_any_number_of_threads(model: SmallModel) -> None:
    assert ablated(model, threads=2) == ablated(model)
    assert ablated(model, seed=2) != ablated(model)


def test_one_night_says_nothing_of_other_nights(model: SmallModel) -> None:
    (found,) = ablate_groups(
        model.scorer, {"rates": ("rate",)}, matrix=model.matrix, labels=model.labels,
        nights=np.full(len(model.labels), np.datetime64("2024-03-01")), seed=1, threads=1,
    )  # fmt: skip
    lost = found.log_loss_lost
    assert lost.low == pytest.approx(lost.high)
    assert lost.low == pytest.approx(lost.estimate)


def test_a_feature_that_the_model_has_not_is_an_error(model: SmallModel) -> None:
    with pytest.raises(ValueError, match=r"group a names \['colour'\]"):
        ablate_groups(
            model.scorer, {"a": ("colour",)}, matrix=model.matrix, labels=model.labels, nights=model.nights, seed=1,
            threads=1,
        )  # fmt: skip
