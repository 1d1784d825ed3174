"""After the gate has accepted a model: whether it is grown once more on all matured rows, and the promotion of that refit.

From then on comparisons are made with the recipe (``operations/contest.py``), for the refit has seen the rows.
"""

from dataclasses import dataclass

from ml_pipeline.domain.refit import RefitDecision
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.audit_model import require_same_features
from ml_pipeline.operations.promote import (
    PROMOTION_LOCK,
    PROMOTIONS,
    Entry,
    follow_ledger,
    newest_champion,
    next_night,
    withdrawal_of,
)
from ml_pipeline.operations.recalibrate import SOURCE
from ml_pipeline.operations.refit_bundle import (
    make_refit,
    recipe_site,
    refit_inputs_hash,
    refit_split,
)
from ml_pipeline.operations.refit_evidence import decide, recorded_decision
from ml_pipeline.operations.register import register
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import find_bundle
from ml_pipeline.operations.training_rows import Split
from ml_pipeline.operations.trainings import record_training, recorded_training


@dataclass(frozen=True)
class Refit:
    """What was decided on a refit of bundle ``recipe``.

    Attributes:
        recipe: the accepted bundle.
        decision: the recorded one.
        version: the refit; None if none was made.
        is_champion: whether it took the place of its recipe. Not if another model did meanwhile, or it was withdrawn.
        is_new: False if the decision had been recorded before; like a verdict it is final.
    """

    recipe: str
    decision: RefitDecision
    version: str | None
    is_champion: bool
    is_new: bool


def refit_if_better(site: Site, version: str, night: Night) -> Refit | None:
    """Refit bundle ``version``, which the gate promoted as of ``night``, if walk-forward folds say that it gains by it.

    None if there is nothing to decide: the project refits never, the gate did not promote it, or it is a recalibration,
    which was made to keep its trees. Run again after a crash it goes on where it stopped.

    Raises:
        BundleError: the bundle is damaged. ValueError: the SQL has changed since.
        LookupError: the ledger of trainings does not know it, or rows of the versions that it was trained on are gone.
    """
    promoted = _promoted(site, version, night)
    if site.project.training.refit == "never" or promoted is None:
        return None
    source = read_bundle(site.models, version)
    if SOURCE in source.manifest:
        return None
    known = recorded_decision(site, version, night)
    if known is not None and not known.is_refit:
        return Refit(version, known, None, is_champion=False, is_new=False)
    require_same_features(site, source)
    split = _split(site, source)
    decision = known or decide(site, source, split)
    if not decision.is_refit:
        return Refit(version, decision, None, is_champion=False, is_new=True)
    refit = _made(site, source, split)
    is_champion = _take_over(site, refit, decision, Night.fromisoformat(promoted["effective_from"]))
    return Refit(version, decision, refit.version, is_champion=is_champion, is_new=known is None)


def is_refit_due(site: Site, version: str, night: Night) -> bool:
    """Whether ``refit_if_better`` still has something to do; reads ledgers only."""
    if site.project.training.refit == "never" or _promoted(site, version, night) is None:
        return False
    known, entries = recorded_decision(site, version, night), site.ledger(PROMOTIONS).entries()
    if known is None:
        return SOURCE not in read_bundle(site.models, version).manifest
    has_followed = any(entry.get("refit_of") == version for entry in entries)
    return known.is_refit and not has_followed and newest_champion(site, entries) == version


def _split(site: Site, source: ModelBundle) -> Split:
    training = recorded_training(site, source.version)
    if training is None:
        raise LookupError(
            f"the ledger of trainings does not know {source.version}, so the rows that it was trained on cannot be read "
            "again; materialise trained_model for its night once more"
        )
    return refit_split(recipe_site(site, source), source, versions=training.table_versions)


def _made(site: Site, source: ModelBundle, split: Split) -> ModelBundle:
    existing = find_bundle(site, split.night, refit_inputs_hash(site, source, split))
    refit = existing or make_refit(site, source, split)
    if recorded_training(site, refit.version) is None:
        record_training(site, refit, split.versions)
    register(site, refit)
    return refit


def _take_over(site: Site, refit: ModelBundle, decision: RefitDecision, effective_from: Night) -> bool:
    """Make ``refit`` champion from the first night of its recipe on, if that is the champion still; whether it now is."""
    recipe = refit.refit_of
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        champion = newest_champion(site, entries)
        if champion != refit.version:
            if champion != recipe or withdrawal_of(entries, refit.version):
                return False
            entry: Entry = {
                "kind": "refit", "challenger": refit.version, "champion_before": recipe, "refit_of": recipe,
                "judged_on": None, "effective_from": str(next_night(site, effective_from)), "is_promoted": True,
                "reasons": [f"refit of {recipe} on all matured nights", *decision.reasons],
                "numbers": dict(decision.numbers),
            }  # fmt: skip
            site.ledger(PROMOTIONS).append(entry, after=len(entries))
    follow_ledger(site)
    return True


def _promoted(site: Site, version: str, night: Night) -> Entry | None:
    """The entry by which the gate promoted ``version`` as of ``night``."""
    entries: list[Entry] = site.ledger(PROMOTIONS).entries()
    said = [entry for entry in entries if (entry["challenger"], entry["judged_on"]) == (version, str(night))]
    promoted = [entry for entry in said if entry["is_promoted"]]
    return promoted[-1] if promoted else None
