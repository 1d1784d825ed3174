"""Scores are published exactly once: retries, re-runs, two runs at once, a promotion in the middle, a lost reply."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ml_pipeline.contracts.serving import ServingPolicy
from ml_pipeline.io.table_store import NightInputs, TableStore
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.faults.publishing import many_writers, reading, same_nights
from ml_pipeline_tests.second_model import promoted, second_version

NEW = nights_between(date(2024, 5, 13), date(2024, 5, 18))
BACKFILLED = nights_between(date(2024, 4, 25), date(2024, 5, 24))


def hashes(site: Site, nights: tuple[date, ...] = NEW) -> list[str]:
    published = site.tables.published(SCORES)
    return [published[night].content_hash for night in nights]


def test_a_night_scored_ten_times_has_one_version(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    before = site.tables.version(SCORES)
    found = set()
    for _ in range(10):
        score(site, NEW[:1])
        found.add(hashes(site, NEW[:1])[0])
    print(f"runs of one night: 10 / {len(found) - 1}")
    assert (len(found), site.tables.version(SCORES)) == (1, before + 1)


def test_a_commit_whose_reply_is_lost_is_made_once(scored_shop_copy: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site, before = scored_shop_copy, scored_shop_copy.tables.version(SCORES)
    whole: Callable[..., None] = TableStore._commit

    def committed_and_lost(*arguments: Any, **named: Any) -> None:
        whole(*arguments, **named)
        raise ConnectionError("the reply was lost")

    with monkeypatch.context() as patch:
        patch.setattr(TableStore, "_commit", committed_and_lost)
        with pytest.raises(ConnectionError):
            score(site, NEW)
    retry = score(site, NEW)
    assert (site.tables.version(SCORES), retry.published.changed) == (before + 1, ())
    assert len(hashes(site)) == len(NEW)


def test_a_promotion_in_the_middle_of_thirty_nights_changes_none_of_them(scored_shop_copy: Site) -> None:
    """It comes while features are being built, after the first half of a backfill of two runs."""
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first)
    done: list[str] = []

    def promote_meanwhile(_: str) -> None:
        if not done:
            done.append(second)
            promoted(site, second, "2024-04-25")

    current = ServingPolicy("current")
    score(site, BACKFILLED[:15], policy=current, replaces=True, backfill="b")
    score(replace(site, progress=promote_meanwhile), BACKFILLED[15:], policy=current, replaces=True, backfill="b")
    assert done == [second] and current_champion(site) == second
    rows = site.tables.read(SCORES, BACKFILLED, ["model_version", "backfill_policy"])
    assert rows.num_rows == 40 * 30
    assert set(rows["model_version"].to_pylist()) == {first}
    assert set(rows["backfill_policy"].to_pylist()) == {"current"}


def test_nights_one_by_one_in_any_order_are_the_range(scored_shop_copy: Site) -> None:
    one_by_one = [*NEW]
    random.Random(3).shuffle(one_by_one)
    for night in one_by_one:
        score(scored_shop_copy, [night])
    singly = hashes(scored_shop_copy)
    assert len({*scored_shop_copy.tables.published(SCORES)} - {*SHOP_SCORED}) == len(NEW)
    scored_shop_copy.tables.publish(
        SCORES, scored_shop_copy.tables.read(SCORES, []), dict.fromkeys(NEW, NightInputs("", {})), key=["order_id"]
    )
    assert score(scored_shop_copy, NEW).published.changed == NEW
    assert hashes(scored_shop_copy) == singly


def test_writers_at_once_lose_nothing_and_answer_each_night_once(tmp_path: Path) -> None:
    many = many_writers(tmp_path / "many", processes=2, nights=6)
    same = same_nights(tmp_path / "same", nights=6)
    print(f"nights of many writers: {many.trials} / {len(many.wrong)}; of two: {same.trials} / {len(same.wrong)}")
    assert (many.wrong, same.wrong) == ((), ())


def test_readers_beside_a_writer_that_never_stops_see_one_version(tmp_path: Path) -> None:
    """And the same readers find a writer out that replaces files under their own names."""
    sound = reading(tmp_path / "sound", queries=150, is_mutant=False)
    mutant = reading(tmp_path / "mutant", queries=3000, is_mutant=True, until_wrong=True)
    print(
        f"queries beside a writer: {sound.trials} / {len(sound.wrong)}; the mutant was found by query {mutant.trials}"
    )
    assert sound.wrong == ()
    assert mutant.wrong != ()
