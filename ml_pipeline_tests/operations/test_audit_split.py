"""The audit of a split passes the real one, and every mutant of it is caught by name."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.domain.splits import Block, Blocks
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_split import SplitError, audit_split, check_split, require_sound
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.split_report import describe
from ml_pipeline.operations.training_rows import LabelledRows, Split, labelled_rows, open_split
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON, open_test_site


def longer(block: Block) -> Block:
    return replace(block, last=nights_back(block.last, -1))


def with_closed_ends(site: Site, split: Split) -> Split:
    """Mutant: each block takes the night that its end should exclude."""
    train, early_stop, calibrate, test = (longer(block) for block in split.blocks.in_order)
    blocks = Blocks(train, early_stop, calibrate, test, split.blocks.gap_nights)
    rows = labelled_rows(site, features_table(site.sql), first=train.first, last=test.last, known_by=split.night)
    return replace(split, blocks=blocks, rows=rows)


def with_a_short_gap(site: Site, split: Split) -> Split:
    """Mutant: one block begins a night early, and the split itself says that this is the gap."""
    early = replace(split.blocks.early_stop, first=nights_back(split.blocks.early_stop.first, 1))
    return replace(split, blocks=replace(split.blocks, early_stop=early, gap_nights=3))


def with_a_block_used_twice(site: Site, split: Split) -> Split:
    """Mutant: the model is calibrated on the nights that stopped its training."""
    again = replace(split.blocks.early_stop, purpose="calibrate")
    return replace(split, blocks=replace(split.blocks, calibrate=again))


def with_labels_a_day_early(site: Site, split: Split) -> Split:
    """Mutant: labels are joined from one night more than the training may know."""
    tomorrow = nights_back(split.night, -1)
    first, last = split.blocks.train.first, split.blocks.test.last
    rows = labelled_rows(site, features_table(site.sql), first=first, last=last, known_by=tomorrow)
    return replace(split, rows=rows, labels=site.tables.read("labels", nights_between(first, tomorrow)))


def with_labels_of_the_next_row(site: Site, split: Split) -> Split:
    """Mutant: the join has lost its place."""
    return replace(split, rows=LabelledRows(split.rows.rows, np.roll(split.rows.labels, 1)))


@dataclass(frozen=True)
class _OneNightMore(LabelledRows):
    def block(self, block: Block) -> LabelledRows:
        return super().block(longer(block))


def with_rows_of_one_night_more(site: Site, split: Split) -> Split:
    """Mutant: the blocks are right, but the rows are chosen with one night too many."""
    return replace(split, rows=_OneNightMore(split.rows.rows, split.rows.labels))


def with_rows_twice(site: Site, split: Split) -> Split:
    """Mutant: a join fanned out."""
    rows, labels = split.rows.rows, split.rows.labels
    return replace(split, rows=LabelledRows(pa.concat_tables([rows, rows.slice(0, 7)]), np.append(labels, labels[:7])))


Mutant = Callable[[Site, Split], Split]
MUTANTS: list[tuple[Mutant, str]] = [
    (with_closed_ends, "ends 3 nights before the training of 2024-05-05; its labels need 4"),
    (with_a_short_gap, "are parted by 3 unused nights, 4 are needed"),
    (with_a_block_used_twice, "share 10 nights"),
    (with_labels_a_day_early, "rows of nights after 2024-05-05 were read, up to 2024-05-06"),
    (with_labels_of_the_next_row, "a label other than the newest known at the cutoff of the training"),
    (with_rows_of_one_night_more, "was given 40 rows of other nights (2024-03-17 to 2024-03-17)"),
    (with_rows_twice, "7 rows are used more than once, by train, for example"),
]


def audited(site: Site, split: Split) -> Audit:
    return audit_split(site, split, describe(site, split))


def test_the_split_of_a_training_is_sound(built_shop: Site) -> None:
    split = open_split(built_shop, SHOP_TRAINED_ON)
    audit = check_split(built_shop, SHOP_TRAINED_ON)
    used = sum(len(split.rows.block(block).labels) for block in split.blocks.in_order)
    assert audit == Audit(4 + used + split.labels.num_rows, ())
    assert used > 2_000
    require_sound(audit, SHOP_TRAINED_ON)


@pytest.mark.parametrize(("mutant", "reason"), MUTANTS, ids=[mutant.__name__ for mutant, _ in MUTANTS])
def test_a_mutant_of_the_split_is_caught(built_shop: Site, mutant: Mutant, reason: str) -> None:
    broken = mutant(built_shop, open_split(built_shop, SHOP_TRAINED_ON))
    violations = audited(built_shop, broken).violations
    assert any(reason in violation for violation in violations), violations
    with pytest.raises(SplitError, match="nothing was trained as of 2024-05-05"):
        require_sound(Audit(1, violations), SHOP_TRAINED_ON)


def test_a_single_label_from_tomorrow_is_found_in_its_row(built_shop: Site) -> None:
    """Of the corrections that land on 5 May two are about rows of the test block of a training as of 4 May."""
    split = open_split(built_shop, nights_back(SHOP_TRAINED_ON, 1))
    hindsight = with_labels_a_day_early(built_shop, split).rows
    violations = audited(built_shop, replace(split, rows=hindsight)).violations
    assert [violation.split(" have ")[0] for violation in violations] == [
        "test (2024-04-19 to 2024-04-30): 2 of 480 rows"
    ]
    assert int(np.sum(hindsight.labels != split.rows.labels)) == 2


def test_a_row_used_for_two_purposes_is_named(built_shop: Site) -> None:
    broken = with_a_block_used_twice(built_shop, open_split(built_shop, SHOP_TRAINED_ON))
    assert any(
        "used more than once, by calibrate, early_stop" in line for line in audited(built_shop, broken).violations
    )


def tampered(site: Site, change: Callable[[pa.Table], pa.Table]) -> None:
    """Publish the label table anew, every row where it was, with other content."""
    nights = list(site.tables.published("labels"))
    rows = change(site.tables.read("labels", nights))
    inputs = {night: NightInputs.made_from("tampered") for night in nights}
    site.tables.publish("labels", rows, inputs, key=["order_id", "label_known_at"])


def clocked(rows: pa.Table, shift: timedelta, *, only: date | None = None) -> pa.Table:
    """``rows`` with ``label_known_at`` moved by ``shift``, of all rows or of those of one night."""
    known_at = rows["label_known_at"]
    moved = pc.add(known_at, pa.scalar(shift, pa.duration("us")))
    if only is not None:
        moved = pc.if_else(pc.equal(rows["score_date"], pa.scalar(only, pa.date32())), moved, known_at)
    return rows.set_column(rows.schema.get_field_index("label_known_at"), "label_known_at", moved)


def test_a_label_in_a_night_that_could_not_know_it_is_found(trainable_shop: Site) -> None:
    tampered(trainable_shop, lambda rows: clocked(rows, timedelta(days=30), only=date(2024, 4, 12)))
    violations = check_split(trainable_shop, SHOP_TRAINED_ON).violations
    assert any(
        "rows lie in a night at whose cutoff they were not known, the first in 2024-04-12" in v for v in violations
    )
    assert any("a label that was not known at the cutoff of the training" in violation for violation in violations)


def test_labels_that_were_known_before_their_rows_were_scored_are_found(trainable_shop: Site) -> None:
    tampered(trainable_shop, lambda rows: clocked(rows, -timedelta(days=2)))
    violations = check_split(trainable_shop, SHOP_TRAINED_ON).violations
    early = [violation for violation in violations if "known at their own cutoff" in violation]
    assert len(early) == 4
    assert "more than 5%; leave what is decided out of the spine" in early[0]


def declared(site: Site, old: str, new: str) -> Site:
    file = site.sql.folder / "project.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def test_a_horizon_that_is_too_short_is_found_by_its_stragglers(trainable_shop: Site) -> None:
    site = declared(trainable_shop, "horizon_nights: 4", "horizon_nights: 1")
    violations = check_split(site, SHOP_TRAINED_ON).violations
    assert len(violations) == 4
    assert all(
        "had no label 1 nights after their night, more than 5%; raise label.horizon_nights" in v for v in violations
    )


def test_how_many_stragglers_are_too_many_is_for_the_project_to_say(trainable_shop: Site) -> None:
    strict = declared(trainable_shop, "horizon_nights: 4", "horizon_nights: 4, max_untimely_share: 0.001")
    assert len(check_split(strict, SHOP_TRAINED_ON).violations) >= 1
    lenient = declared(
        strict, "horizon_nights: 4, max_untimely_share: 0.001", "horizon_nights: 1, max_untimely_share: 1.0"
    )
    assert check_split(lenient, SHOP_TRAINED_ON).violations == ()
