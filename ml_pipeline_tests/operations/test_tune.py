import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pytest

from ml_pipeline.contracts.tuning import ChoiceRange, NumberRange, TuningContract
from ml_pipeline.nights import nights_back
from ml_pipeline.operations import tune as tuning
from ml_pipeline.operations.reproduce import reproduce_bundle
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_training, train
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline.operations.tune import content_hash_of, tune
from ml_pipeline.operations.tuned_training import newest_tuning, tuning_of

# Late enough for the train block to hold two folds.
NIGHT = date(2024, 5, 22)
CONTRACT = TuningContract(
    trials=3, budget_seconds=600, folds=2, validate_nights=5,
    space={
        "num_leaves": NumberRange(low=2, high=7, is_whole=True), "grows_again": ChoiceRange(choices=(False, True)),
        "recency_half_life_nights": ChoiceRange(choices=(None, 20.0)), "history_nights": ChoiceRange(choices=(10, 12)),
    },
)  # fmt: skip


def tunable(site: Site, contract: TuningContract | None = CONTRACT) -> Site:
    project = site.project.model_copy(update={"tuning": contract})
    return dataclasses.replace(site, sql=dataclasses.replace(site.sql, project=project))


@pytest.fixture
def in_memory(built_shop: Site, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Tune the shop that all tests share, with a ledger that keeps what is appended to itself."""
    entries: list[dict[str, Any]] = []

    class Kept:
        def entries(self) -> list[dict[str, Any]]:
            return entries

        def append(self, entry: dict[str, Any]) -> int:
            entries.append(entry)
            return len(entries)

    monkeypatch.setattr(Site, "ledger", lambda _self, _name: Kept())

    def run(contract: TuningContract = CONTRACT, site: Site = built_shop) -> dict[str, Any]:
        entries.clear()
        return tune(tunable(site, contract), NIGHT).record

    return run


def test_every_trial_is_recorded_and_only_train_nights_were_looked_at(
    in_memory: Callable[..., dict[str, Any]], built_shop: Site
) -> None:  # fmt: skip
    record = in_memory()
    blocks = open_split(built_shop, NIGHT).blocks
    assert [trial["trial"] for trial in record["trials"]] == [1, 2, 3]
    assert record["trials"][0]["parameters"] == {}
    assert (record["is_ended_early"], record["trials_declared"]) == (False, 3)
    assert record["last_used_night"] == str(blocks.train.last)
    ends = [date.fromisoformat(night) for fold in record["folds"] for night in (*fold["train"], *fold["validate"])]
    assert blocks.train.first <= min(ends)
    assert max(ends) == blocks.train.last
    for fold in record["folds"]:
        assert date.fromisoformat(fold["train"][1]) < nights_back(
            date.fromisoformat(fold["validate"][0]), blocks.gap_nights
        )
    chosen = record["trials"][record["chosen"] - 1]
    assert chosen["parameters"] == record["parameters"]
    assert chosen["log_loss"] <= min(trial["log_loss"] for trial in record["trials"]) + record["standard_error"] + 1e-12


def test_the_same_search_is_the_same_record_on_any_number_of_threads(
    in_memory: Callable[..., dict[str, Any]], built_shop: Site
) -> None:  # fmt: skip
    first, again = in_memory(), in_memory(site=dataclasses.replace(built_shop, threads=1))
    assert first["content_hash"] == again["content_hash"] == content_hash_of(first)
    assert first["inputs_hash"] == again["inputs_hash"]
    assert content_hash_of(first | {"chosen": 9}) != first["content_hash"]


def test_a_spent_budget_ends_the_search_after_the_projects_own_parameters(
    in_memory: Callable[..., dict[str, Any]],
) -> None:
    record = in_memory(CONTRACT.model_copy(update={"budget_seconds": 1e-6}))
    assert [trial["parameters"] for trial in record["trials"]] == [{}]
    assert (record["is_ended_early"], record["parameters"]) == (True, {})


def test_rows_after_the_train_block_change_nothing(
    in_memory: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    sound = in_memory()
    reader = tuning.open_split

    def turned(site: Site, night: date) -> Any:
        split = reader(site, night)
        is_later = split.rows.nights > np.datetime64(split.blocks.train.last)
        rows = dataclasses.replace(split.rows, labels=np.where(is_later, 1 - split.rows.labels, split.rows.labels))
        return dataclasses.replace(split, rows=rows)

    monkeypatch.setattr(tuning, "open_split", turned)
    assert in_memory()["content_hash"] == sound["content_hash"]


def test_a_project_without_tuning_and_a_history_too_short_are_refused(built_shop: Site) -> None:
    with pytest.raises(ValueError, match="declares no tuning"):
        tune(tunable(built_shop, None), NIGHT)
    with pytest.raises(ValueError, match="use fewer or shorter folds"):
        tune(tunable(built_shop, CONTRACT.model_copy(update={"folds": 9})), NIGHT)


def test_a_training_uses_the_newest_tuning_up_to_its_night_and_comes_out_again(trainable_shop: Site) -> None:
    site = tunable(trainable_shop)
    plain = train(site, NIGHT).bundle
    done = tune(site, NIGHT)
    assert (done.is_new, tune(site, NIGHT).is_new) == (True, False)
    applied = newest_tuning(site, NIGHT)
    assert applied is not None
    assert newest_tuning(site, nights_back(NIGHT, 1)) is None
    forced = done.record | {"parameters": {"num_leaves": 2, "history_nights": 10}, "content_hash": "forced"}
    site.ledger("tunings").append(
        {name: forced[name] for name in forced if name not in ("number", "recorded_at", "previous")}
    )
    tuned = train(site, NIGHT).bundle
    assert tuned.version != plain.version
    assert tuning_of(plain) is None
    named = tuning_of(tuned)
    assert named is not None
    assert (named.content_hash, dict(named.parameters)) == ("forced", {"num_leaves": 2, "history_nights": 10})
    first, last = (date.fromisoformat(night) for night in tuned.manifest["blocks"]["train"])
    assert (last - first).days + 1 == 10
    assert "num_leaves=3" not in tuned.text("model.txt")
    assert find_training(site, NIGHT) == tuned
    for version in (plain.version, tuned.version):
        found = reproduce_bundle(site, version)
        assert found.is_reproduced, found.differing
