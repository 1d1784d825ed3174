"""Reports what each block of a training holds; the report of a trained model lies in its bundle."""

from ml_pipeline.domain.label_times import latest_labels
from ml_pipeline.domain.split_facts import describe_split
from ml_pipeline.domain.split_report import SplitReport, split_report_from_json
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import Split, open_split

SPLIT_FILE = "split.json"


def report_split(site: Site, night: Night) -> SplitReport:
    """Report the split of a training as of ``night``; trains nothing.

    Raises:
        ValueError: too little history. LookupError: features or labels of a needed night are missing.
    """
    return describe(site, open_split(site, night))


def describe(site: Site, split: Split) -> SplitReport:
    """Report ``split``, with the labels that were known at the cutoff of its night."""
    key, cutoff = site.project.entity_key, site.calendar.cutoff(split.night)
    return describe_split(
        split.blocks, split.features, latest_labels(split.features, split.labels, key, until=cutoff),
        key=key, calendar=site.calendar, trained_on=split.night,
        label_horizon_nights=site.project.label.horizon_nights,
    )  # fmt: skip


def split_of(bundle: ModelBundle) -> SplitReport | None:
    """The report in ``bundle``, None for one that was written before bundles had it."""
    return split_report_from_json(bundle.json(SPLIT_FILE)) if SPLIT_FILE in bundle.manifest["files"] else None
