"""The model card of a bundle, as it was written with it and with all that is known of it here."""

from ml_pipeline.domain.cost_sensitivity import sensitivity_from_json
from ml_pipeline.domain.document import Block, Document, Paragraph, Section, Table
from ml_pipeline.domain.model_card import CardFacts, RefitNights, model_card
from ml_pipeline.domain.model_review import ModelReview, review_sections
from ml_pipeline.domain.split_report import split_report_from_json
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.sql_project import SqlProject
from ml_pipeline.nights import Night
from ml_pipeline.operations.evidence import read_evidence
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import SPLIT_FILE
from ml_pipeline.operations.trainings import recorded_training


def described_sources(sql: SqlProject) -> dict[str, tuple[str, str]]:
    """Description and time of knowing of each source that the features or the label are made from."""
    return {name: (source.description, source.known_when) for name, source in sql.sources.items()}


def features_by_model(sql: SqlProject) -> dict[str, int]:
    return {model.name: len(sql.contracts[model.name].columns) for model in sql.in_folder("features")}


def card_facts(bundle: ModelBundle) -> CardFacts:
    """What the files of ``bundle`` say.

    Raises:
        LookupError: it was written before bundles held all of it. BundleError: it is damaged.
    """
    evidence, sql = read_evidence(bundle), bundle.feature_set
    calibrator = bundle.json("calibrator.json")
    return CardFacts(
        sql.project, described_sources(sql), features_by_model(sql), bundle.manifest["feature_set_version"],
        split_report_from_json(bundle.json(SPLIT_FILE)), evidence.model, evidence.baseline, evidence.intervals,
        evidence.calibration, evidence.baseline_points, calibrator["kind"], calibrator["log_loss_by_kind"],
        bundle.json("threshold.json")["threshold"], bundle.manifest["gain_by_feature"],
        sensitivity_from_json(bundle.json("decision.json")), _refit_nights(bundle),
    )  # fmt: skip


def _refit_nights(bundle: ModelBundle) -> RefitNights | None:
    if bundle.refit_of is None:
        return None
    first, last = (Night.fromisoformat(text) for text in bundle.manifest["blocks"]["train"])
    return RefitNights(bundle.refit_of, first, last)


def full_card(site: Site, bundle: ModelBundle, review: ModelReview | None) -> Document:
    """The card of the bundle with its review, if there is one, and with where it was made.

    The bundle's own card leaves these out: Delta versions and commits differ from place to place, the bundle must not.
    """
    card = model_card(card_facts(bundle))
    reviewed = review_sections(review) if review is not None else ()
    return Document(card.title, card.lead, (*card.sections, *reviewed, Section("Lineage", _lineage(site, bundle))))


def _lineage(site: Site, bundle: ModelBundle) -> tuple[Block, ...]:
    facts = bundle.manifest
    recorded = recorded_training(site, bundle.version)
    named = [
        ("bundle", bundle.version), ("manifest.json (SHA-256)", bundle.manifest_sha256), ("inputs", facts["inputs_hash"]),
        ("feature set", facts["feature_set_version"]), ("code", facts["code_version"]), ("seed", str(facts["seed"])),
        *((name, version) for name, version in sorted(facts["packages"].items())),
    ]  # fmt: skip
    if recorded is None:
        missing = "The ledger of trainings does not know this bundle: from which table versions it was made is not recorded here."
        return (Paragraph(missing), Table(("fact", "value"), named))
    commit = recorded.git_commit or "no checkout"
    named.append(("git commit", f"{commit}, with other changes" if recorded.is_dirty else commit))
    tables = [(table, str(version)) for table, version in sorted(recorded.table_versions.items())]
    return (
        Paragraph("Read from these Delta tables; landed tables are named as they were at the training."),
        Table(("table", "version"), tables),
        Table(("fact", "value"), named),
        Paragraph(f"`ml-pipeline reproduce {bundle.version}` makes it again from these versions and compares every file."),
    )  # fmt: skip
