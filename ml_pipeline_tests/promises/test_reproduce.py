"""Every bundle and every scored night can be made again from its recorded inputs, hash for hash; counts are printed."""

import dataclasses
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.land import land
from ml_pipeline.operations.promote import promote_if_better
from ml_pipeline.operations.reproduce import Comparison, Reproduction, reproduce_bundle, reproduce_night
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON, open_test_site


def differing(found: Iterable[Reproduction], name: str) -> int:
    """How many files or tables differ; says so in words. What was not made again is no comparison, and is refused."""
    tried = list(found)
    assert all(each.comparisons and not each.reasons for each in tried), tried
    compared = sum(len(each.comparisons) for each in tried)
    differs = sum(len(each.differing) for each in tried)
    print(f"reproduced, {name}: {compared} / {differs}")
    return differs


def everything(site: Site) -> list[Reproduction]:
    versions = sorted(path.name for path in site.models.iterdir())
    assert versions
    bundles = [reproduce_bundle(site, version) for version in versions]
    return [*bundles, *(reproduce_night(site, night) for night in SHOP_SCORED)]


def test_the_harness_counts_what_differs_and_refuses_what_was_not_tried() -> None:
    equal, other = Comparison("model.txt", "a", "a", "a"), Comparison("scores", "a", "a", "b")
    assert differing([Reproduction("mutant", (equal, other))], "mutant") == 1
    with pytest.raises(AssertionError):
        differing([Reproduction("mutant", (equal,), ("other code",))], "mutant")


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_every_bundle_and_every_scored_night(scored_shop: Site, threads: int) -> None:
    assert differing(everything(dataclasses.replace(scored_shop, threads=threads)), f"{threads} threads") == 0


def test_an_installation_that_landed_in_another_order(
    scored_shop: Site, shop_site: Site, mlflow_template: Path
) -> None:
    """Each source alone and its nights in pieces, dealt out at random: other commits, other files, the same bytes."""
    site = shop_site
    (site.data / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    until = SHOP_SCORED[-1]
    nights = nights_between(site.calendar.first_night, until)
    dealt = random.Random(3)
    for source in dealt.sample(sorted(site.sql.sources), len(site.sql.sources)):
        shuffled = dealt.sample(nights, len(nights))
        for start in range(0, len(shuffled), 40):
            land(site, source, sorted(shuffled[start : start + 40]))
    build_features(site, nights)
    build_labels(site, nights)
    version = train(site, SHOP_TRAINED_ON).bundle.version
    assert [version] == [path.name for path in scored_shop.models.iterdir()]
    promote_if_better(site, version, SHOP_TRAINED_ON)
    score(site, SHOP_SCORED)
    assert site.tables.version("raw/orders") != scored_shop.tables.version("raw/orders")
    assert differing(everything(open_test_site(site.sql.folder, site.data)), "landed in another order") == 0
