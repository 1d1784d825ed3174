"""Audits the split of a training on its real rows, before a tree is grown."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.label_times import cutoffs_of, latest_labels
from ml_pipeline.domain.split_report import BlockReport, SplitReport
from ml_pipeline.domain.split_rules import (
    misplaced_blocks,
    premature_labels,
    repeated_rows,
    strayed_rows,
    too_fresh,
    unknown_labels,
)
from ml_pipeline.domain.splits import gap_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import describe
from ml_pipeline.operations.training_rows import Split, label_window_nights, open_split
from ml_pipeline.operations.tuned_training import newest_tuning, with_tuning


class SplitError(ValueError):
    """The split of a training is not what it must be; nothing was trained."""


def check_split(site: Site, night: Night) -> Audit:
    """Audit the split of a training as of ``night``; trains nothing.

    Raises:
        ValueError: too little history. LookupError: features or labels of a needed night are missing.
    """
    site = with_tuning(site, newest_tuning(site, night))
    split = open_split(site, night)
    return audit_split(site, split, describe(site, split))


def audit_split(site: Site, split: Split, report: SplitReport) -> Audit:
    """Hold ``split`` against the project and the label table. A trial is a border, a row used or a label read.

    Violations are: blocks out of order, overlapping, or parted by fewer nights than the project's embargo asks for; a row
    or night used for two purposes, or of a night outside of its block; a label that was not known, as the very version
    that is used, at the cutoff of ``split.night``; a label read from a later night; more untimely labels than ``label.max_untimely_share``.

    That a label of one block was still unknown when the first night of the next block was scored is no violation of its
    own: the horizon promises all but stragglers. The report counts them (``overdue_labels``). They are late ones too, so
    the bound on those bounds them.
    """
    label, key = site.project.label, site.project.entity_key
    cutoff = site.calendar.cutoff(split.night)
    used = [(block, split.rows.block(block)) for block in split.blocks.in_order]
    violations = [
        *misplaced_blocks(split.blocks.in_order, _needed_gap(site)),
        *too_fresh(split.blocks.test, split.night, label.horizon_nights),
        *repeated_rows([(block, labelled.rows) for block, labelled in used], key),
        *premature_labels(*_clocks(site, split), split.night),
    ]
    for block, labelled in used:
        known = latest_labels(labelled.rows, split.labels, key, until=cutoff)
        violations += strayed_rows(block, labelled.nights)
        violations += unknown_labels(block, labelled.rows, labelled.labels, known, key)
    violations += [line for block in report.blocks for line in _untimely(block, report, label.max_untimely_share)]
    rows = sum(len(labelled.labels) for _, labelled in used)
    return Audit(len(split.blocks.in_order) + rows + split.labels.num_rows, tuple(violations))


def require_sound(audit: Audit, night: Night) -> None:
    """Raise SplitError with every violation, if there is one."""
    if audit.violations:
        raise SplitError(
            f"nothing was trained as of {night}: {len(audit.violations)} rules of the split do not hold. "
            + "; ".join(audit.violations)
        )


def _needed_gap(site: Site) -> int:
    return gap_nights(
        site.project.training.embargo, label_horizon_nights=site.project.label.horizon_nights,
        label_window_nights=label_window_nights(site),
    )  # fmt: skip


def _clocks(site: Site, split: Split) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64], NDArray[np.datetime64]]:
    nights = split.labels[SCORE_DATE].to_numpy()
    known_at = split.labels["label_known_at"].cast(pa.timestamp("us")).to_numpy()
    return nights, known_at, cutoffs_of(nights, site.calendar)


def _untimely(block: BlockReport, report: SplitReport, limit: float) -> list[str]:
    horizon = report.label_horizon_nights
    remedy = "raise label.max_untimely_share in project.yml if that is how it is"
    found = []
    if block.late_labels > limit * block.rows:
        found.append(
            f"{block.purpose}: {block.late_labels} of {block.rows} rows had no label {horizon} nights after their night, "
            f"more than {limit:.0%}; raise label.horizon_nights, land what is missing, or {remedy}"
        )
    if block.early_labels > limit * block.rows:
        found.append(
            f"{block.purpose}: the label of {block.early_labels} of {block.rows} rows was known at their own cutoff, more "
            f"than {limit:.0%}; leave what is decided out of the spine, correct labelled_date, or {remedy}"
        )
    return found
