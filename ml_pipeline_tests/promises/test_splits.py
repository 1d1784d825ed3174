"""Blocks of a training never touch, no row serves two purposes, and no label comes from after the training's cutoff."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np

from ml_pipeline.domain.splits import walk_forward
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.audit_split import audit_split, check_split
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import describe, report_split
from ml_pipeline.operations.training_rows import open_split
from ml_pipeline_tests.conftest import open_test_site
from ml_pipeline_tests.operations.test_audit_split import MUTANTS, with_labels_a_day_early

SHOP_NIGHTS = nights_between(date(2024, 4, 26), date(2024, 5, 16))


def later_labels(site: Site, night: Night) -> int:
    """How many labels of the split would be others with one night of hindsight."""
    split = open_split(site, night)
    ahead = with_labels_a_day_early(site, split).rows
    ours = dict(zip(split.rows.rows["order_id"].to_pylist(), split.rows.labels, strict=True))
    theirs = dict(zip(ahead.rows["order_id"].to_pylist(), ahead.labels, strict=True))
    return sum(ours.get(order) != label for order, label in theirs.items())


def test_every_training_of_the_shop_has_a_sound_split(built_shop: Site) -> None:
    audits = [check_split(built_shop, night) for night in SHOP_NIGHTS]
    trials = sum(audit.trials for audit in audits)
    violations = [violation for audit in audits for violation in audit.violations]
    caught = missed = 0
    for night in SHOP_NIGHTS[::5]:
        split = open_split(built_shop, night)
        for mutant, _ in MUTANTS:
            broken = mutant(built_shop, split)
            is_caught = bool(audit_split(built_shop, broken, describe(built_shop, broken)).violations)
            caught, missed = caught + is_caught, missed + (not is_caught)
    print(f"splits of the shop: {trials} / {len(violations)}; broken splits not caught: {caught + missed} / {missed}")
    assert trials > 100_000
    assert violations == []
    assert (caught, missed) == (5 * len(MUTANTS), 0)
    # A look one night ahead does change labels here, so the promise is about something.
    assert sum(later_labels(built_shop, night) for night in SHOP_NIGHTS[::5]) > 0


def test_folds_of_every_training_keep_its_gap(built_shop: Site) -> None:
    trials = violations = 0
    for night in SHOP_NIGHTS:
        split = open_split(built_shop, night)
        for fold in walk_forward(split.blocks.train, folds=2, validate_nights=3, gap_nights=split.blocks.gap_nights):
            learned, judged = (split.rows.block(block).nights for block in fold.in_order)
            trials += 1
            violations += (judged.min() - learned.max()) <= np.timedelta64(split.blocks.gap_nights, "D")
    print(f"folds of the shop: {trials} / {violations}")
    assert (trials, violations) == (2 * len(SHOP_NIGHTS), 0)


def test_a_training_on_real_flights_has_a_sound_split(flights_site: Site, tmp_path: Path) -> None:
    night = date(2013, 3, 18)
    shutil.copytree(flights_site.data, tmp_path / "data")
    site = open_test_site(flights_site.sql.folder, tmp_path / "data")
    first = nights_back(site.project.first_night, -site.project.training.warmup_nights)
    build_features(site, nights_between(first, nights_back(night, 2)))
    build_labels(site, nights_between(first, night))
    audit, report = check_split(site, night), report_split(site, night)
    print(f"splits of real flights: {audit.trials} / {len(audit.violations)}")
    assert audit.trials > 100_000
    assert audit.violations == ()
    assert report.entity == ("carrier", "flight", "origin")
    for block in report.blocks:
        assert (block.unlabelled_rows, block.early_labels, block.late_labels, block.overdue_labels) == (0, 0, 0, 0)
    # Flight numbers come back from night to night: most of the test block's rows are of numbers that were learned from.
    assert all(block.met_row_share is not None and block.met_row_share > 0.5 for block in report.blocks)
