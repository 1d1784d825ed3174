"""The same nights give the same bytes: alone or in a range, on any number of threads, in any place and time zone."""

import dataclasses
import random
import shutil
from datetime import date
from pathlib import Path

import pyarrow.compute as pc
import pytest

from ml_pipeline.io.content_hash import content_hash
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_SCORED, SHOP_TRAINED_ON, copy_of, open_test_site

NIGHTS = nights_between(date(2024, 3, 28), date(2024, 4, 6))


def hashes(site: Site, table: str, nights: tuple[Night, ...]) -> dict[Night, str]:
    published = site.tables.published(table)
    return {night: published[night].content_hash for night in nights}


def differences(one: dict[Night, str], other: dict[Night, str], name: str) -> int:
    """How many nights differ; says so in words."""
    assert set(one) == set(other)
    found = sum(one[night] != other[night] for night in one)
    print(f"{name}: {len(one)} / {found}")
    return found


def test_the_harness_counts_a_night_that_differs() -> None:
    assert differences({NIGHTS[0]: "a", NIGHTS[1]: "b"}, {NIGHTS[0]: "a", NIGHTS[1]: "B"}, "mutant") == 1


def test_features_of_a_range_of_single_nights_and_of_shuffled_nights(
    built_shop: Site, landed_shop: Site, tmp_path: Path
) -> None:
    table = features_table(built_shop.sql)
    data = Path(shutil.copytree(landed_shop.data, tmp_path / "data"))
    site = open_test_site(landed_shop.sql.folder, data)
    shuffled = random.Random(1).sample(NIGHTS, len(NIGHTS))
    for night in shuffled[:7]:
        build_features(site, [night])
    build_features(site, shuffled)
    assert differences(hashes(built_shop, table, NIGHTS), hashes(site, table, NIGHTS), "features, shuffled") == 0


def test_flights_of_a_range_and_of_single_nights(flights_site: Site) -> None:
    nights = nights_between(date(2013, 2, 27), date(2013, 3, 12))
    runner = flights_site.runner()
    together = runner.build_features(nights[0], nights[-1])
    parts = {night: content_hash(together.filter(pc.equal(together["score_date"], night))) for night in nights}
    alone = {night: content_hash(runner.build_features(night, night)) for night in nights[::3]}
    assert differences(alone, {night: parts[night] for night in alone}, "flights, alone") == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_flights_on_other_numbers_of_threads(flights_site: Site, threads: int) -> None:
    first, last = date(2013, 3, 10), date(2013, 3, 11)
    expected = content_hash(flights_site.runner().build_features(first, last))
    other = dataclasses.replace(flights_site, threads=threads).runner().build_features(first, last)
    assert content_hash(other) == expected


def test_scores_of_nights_alone_and_of_a_range(scored_shop: Site, scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    shutil.rmtree(site.tables.path("scores"))
    for night in random.Random(2).sample(SHOP_SCORED, len(SHOP_SCORED)):
        score(site, [night])
    assert (
        differences(hashes(scored_shop, "scores", SHOP_SCORED), hashes(site, "scores", SHOP_SCORED), "scores, alone")
        == 0
    )


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_training_in_another_place_on_other_threads_gives_the_same_model_and_scores(
    scored_shop: Site, trainable_shop: Site, threads: int
) -> None:
    site = dataclasses.replace(trainable_shop, threads=threads)
    version = train(site, SHOP_TRAINED_ON).bundle.version
    assert [version] == [path.name for path in scored_shop.models.iterdir()]
    promote_if_better(site, version, SHOP_TRAINED_ON)
    score(site, SHOP_SCORED)
    name = f"scores, {threads} threads"
    assert differences(hashes(scored_shop, "scores", SHOP_SCORED), hashes(site, "scores", SHOP_SCORED), name) == 0


def test_a_copied_data_root_scores_on_as_the_first_one_does(
    scored_shop: Site, shop_project: Path, tmp_path: Path
) -> None:
    nights = nights_between(date(2024, 5, 13), date(2024, 5, 16))
    sites = [copy_of(scored_shop, shop_project, tmp_path / name) for name in ("here", "there")]
    for site in sites:
        score(site, nights)
    assert differences(*(hashes(site, "scores", nights) for site in sites), "scores, two roots") == 0
    assert nights[-1] < SHOP_LANDED_UNTIL
