from datetime import date

import numpy as np
import pytest

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.split_rules import misplaced_blocks
from ml_pipeline.domain.splits import Block, walk_forward
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import label_window_nights, labelled_rows, open_split, training_blocks
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site


def edited(site: Site, path: str, old: str, new: str) -> Site:
    file = site.sql.folder / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def test_a_split_holds_what_a_training_may_see(built_shop: Site) -> None:
    split = open_split(built_shop, SHOP_TRAINED_ON)
    first, last = split.blocks.train.first, split.blocks.test.last
    nights = split.features[SCORE_DATE].to_pylist()
    assert (min(nights), max(nights)) == (first, last) == (date(2024, 2, 18), date(2024, 5, 1))
    assert max(split.labels[SCORE_DATE].to_pylist()) == SHOP_TRAINED_ON
    again = labelled_rows(built_shop, features_table(built_shop.sql), first=first, last=last, known_by=SHOP_TRAINED_ON)
    assert split.rows.rows.equals(again.rows)
    assert np.array_equal(split.rows.labels, again.labels)
    assert np.isin(split.rows.labels, (0.0, 1.0)).all()


def test_rows_without_a_label_are_features_and_not_rows(built_shop: Site) -> None:
    """As of a block's last night, none of that night's outcomes can be known."""
    night = date(2024, 4, 10)
    table = features_table(built_shop.sql)
    rows = labelled_rows(built_shop, table, first=nights_back(night, 9), last=night, known_by=night)
    assert 0 < rows.rows.num_rows < built_shop.tables.read(table, [night]).num_rows * 10
    assert np.datetime64(night) not in rows.nights


def test_a_block_without_a_row_is_named(built_shop: Site) -> None:
    split = open_split(built_shop, SHOP_TRAINED_ON)
    with pytest.raises(LookupError, match=r"block test \(2030-01-01 to 2030-01-02\) has no row with a known label"):
        split.rows.block(Block("test", date(2030, 1, 1), date(2030, 1, 2)))


def test_the_window_on_labels_is_the_longest_lookback_on_their_source(built_shop: Site, flights_site: Site) -> None:
    assert (label_window_nights(built_shop), label_window_nights(flights_site)) == (28, 28)


def test_the_longer_embargo_is_made_from_the_windows_of_the_project(shop_site: Site) -> None:
    site = edited(shop_site, "project.yml", "  seed: 20240505", "  embargo: longest_window\n  seed: 20240505")
    with pytest.raises(ValueError, match="needs at least 134 nights of history, there are 80"):
        training_blocks(site, SHOP_TRAINED_ON)
    short = edited(site, "staging/stg_returns.sql", "lookback_days=28", "lookback_days=3")
    blocks = training_blocks(short, SHOP_TRAINED_ON)
    assert blocks.gap_nights == 4 + 3 - 1
    assert misplaced_blocks(blocks.in_order, 6) == []
    assert blocks.test.last == date(2024, 5, 1), "the labels of the test block still need the horizon alone"


def test_folds_of_the_train_block_find_their_rows(built_shop: Site) -> None:
    split = open_split(built_shop, SHOP_TRAINED_ON)
    folds = walk_forward(split.blocks.train, folds=3, validate_nights=4, gap_nights=split.blocks.gap_nights)
    for fold in folds:
        learned, judged = (split.rows.block(block) for block in fold.in_order)
        assert learned.nights.max() < judged.nights.min()
        assert len(judged.labels) == 160


def test_a_split_says_which_versions_it_read_and_reads_those_again(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    nights = nights_between(site.calendar.first_night, SHOP_TRAINED_ON)
    build_features(site, nights)
    build_labels(site, nights)
    split = open_split(site, SHOP_TRAINED_ON)
    table = features_table(site.sql)
    assert split.versions == {table: site.tables.version(table), "labels": site.tables.version("labels")}
    emptied = {split.blocks.test.last: NightInputs("emptied", {})}
    site.tables.publish(table, split.features.slice(0, 0), emptied, key=site.project.entity_key)
    assert open_split(site, SHOP_TRAINED_ON).features.num_rows < split.features.num_rows
    again = open_split(site, SHOP_TRAINED_ON, versions=split.versions)
    assert again.features.equals(split.features)
    assert again.labels.equals(split.labels)
    with pytest.raises(LookupError, match="features has not been built for"):
        open_split(site, SHOP_TRAINED_ON, versions=split.versions | {table: 1})
