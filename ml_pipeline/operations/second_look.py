"""A second look at a refused challenger: its test block and its nights in the shadow, judged by the gate's own terms."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.contamination import ComparedRows, Contamination, find_contamination
from ml_pipeline.domain.gate import judge
from ml_pipeline.domain.gate_findings import Contestant
from ml_pipeline.domain.look_schedule import LOOKS, Look, look_confidence
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.model_bundle import ModelBundle, read_bundle
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.bundle_contents import baseline_rates, load_scorer
from ml_pipeline.operations.contest import (
    Comparison,
    competitors,
    contest_rows,
    said,
    set_up_comparison,
    traits_of,
    used_nights,
)
from ml_pipeline.operations.promote import (
    PROMOTION_LOCK,
    PROMOTIONS,
    Entry,
    Promotion,
    entry_of,
    newest_champion,
    next_night,
)
from ml_pipeline.operations.shadow_evidence import PairedRows, ShadowEvidence, paired_rows
from ml_pipeline.operations.shadow_lanes import Lane, decisions_on, stands
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import LabelledRows


def take_second_look(site: Site, lane: Lane, look: Look, night: Night, evidence: ShadowEvidence) -> Entry | None:
    """Let the gate judge the challenger of ``lane`` again as of ``night``, and record what it says.

    None if there is nothing to judge any more: another look was taken, or another model serves or was judged meanwhile.
    Reading the champion, judging and recording happen under the lock of the promotions. MLflow's alias is the caller's.

    Raises:
        BundleError: either model is missing or damaged; nothing is recorded, so that the look is not used up.
        LookupError: features or labels of a night are missing.
    """
    with exclusive_lock(site.lock_file(PROMOTION_LOCK)):
        entries = site.ledger(PROMOTIONS).entries()
        first = next_night(site, nights_back(night, -1))
        is_taken = len(decisions_on(entries, lane)) >= look.number
        overtaken = newest_champion(site, entries) != lane.champion
        if is_taken or overtaken or not stands(entries, lane, first, site.project.serving):
            return None
        compared = _comparison(site, lane, night)
        terms = site.project.promotion
        verdict = judge(
            compared.challenger, compared.baseline, compared.champion, simple=compared.simple,
            terms=terms.model_copy(update={"confidence": look_confidence(terms.confidence)}), traits=compared.traits,
            seed=site.project.training.seed,
        )  # fmt: skip
        told = f"look {look.number} of {LOOKS} at {lane.version}, with {len(evidence.nights)} nights in the shadow"
        verdict = replace(verdict, reasons=(told, *verdict.reasons, *compared.remarks))
        entry = entry_of(
            Promotion(lane.version, lane.champion, verdict, True, "second_look"), night, effective_from=first
        )
        entry["numbers"] |= evidence.as_numbers(look)
        site.ledger(PROMOTIONS).append(entry, after=len(entries))
    return entry


def _comparison(site: Site, lane: Lane, night: Night) -> Comparison:
    """Test block and shadow nights together; the shadow nights alone where the test block is no fair test of these two.

    A champion that was chosen on the challenger's test block, say, can be compared with on what came after.
    """
    bundle, paired = read_bundle(site.models, lane.version), paired_rows(site, lane, night)
    if lane.champion is None or paired is None:
        raise LookupError(f"no night of {lane.version} in the shadow has matured by {night}")
    shadow = _on_shadow_nights(site, bundle, lane.champion, paired, night)
    block = set_up_comparison(site, lane.version, lane.champion, night)
    if not _contamination(shadow).is_clean:
        # The gate says what is wrong with them.
        return shadow
    if not (found := _contamination(block)).is_clean:
        return replace(shadow, remarks=(f"the nights in the shadow alone, for of the test block: {found.reasons[0]}",))
    return _together(block, shadow)


def _contamination(compared: Comparison) -> Contamination:
    everybody = _everybody(compared)
    used = {each.name: each.used for each in everybody if each.used is not None}
    return find_contamination({each.name: each.rows for each in everybody}, used)


def _everybody(compared: Comparison) -> list[Contestant]:
    champion = [] if compared.champion is None else [compared.champion]
    return [compared.challenger, compared.baseline, *champion, *compared.simple.values()]


def _on_shadow_nights(
    site: Site, bundle: ModelBundle, champion: str, paired: PairedRows, night: Night
) -> Comparison:  # fmt: skip
    """Challenger and champion with what they said at the time, the others with what they would have said."""
    nights = paired.nights
    rows, both = _same_rows(site, contest_rows(site, bundle, nights[0], nights[-1], night), paired)
    keys = ComparedRows(rows.rows.select([SCORE_DATE, *site.project.entity_key]), rows.labels)
    threshold = load_scorer(bundle).threshold
    theirs = used_nights(read_bundle(site.models, champion), is_champion=True)
    who = {
        "shadow": (bundle.version, used_nights(bundle, is_champion=False)), "champion": (champion, theirs)
    }  # fmt: skip
    contestants = {
        place: Contestant(
            name, keys, both.column(place).to_numpy(), both.column(f"{place}_acts").to_numpy(zero_copy_only=False), used
        )
        for place, (name, used) in who.items()
    }
    rates = baseline_rates(site, rows.rows, float(bundle.manifest["positive_share"]))
    return Comparison(
        contestants["shadow"], said(site, "baseline", rows, rates, rates, threshold=threshold, used=None),
        contestants["champion"], competitors(site, bundle, rows, threshold), traits_of(site, bundle, rows.rows),
    )  # fmt: skip


def _same_rows(site: Site, rows: LabelledRows, paired: PairedRows) -> tuple[LabelledRows, pa.Table]:
    """The labelled rows that both scored, and row by row what both said of them."""
    key = [SCORE_DATE, *site.project.entity_key]
    numbered = rows.rows.select(key).append_column("_position", pa.array(np.arange(len(rows.labels))))
    both = numbered.join(paired.rows, key, join_type="inner").sort_by("_position").combine_chunks()
    place = both.column("_position").to_numpy()
    return LabelledRows(rows.rows.take(pa.array(place)).combine_chunks(), rows.labels[place]), both


def _together(block: Comparison, shadow: Comparison) -> Comparison:
    """Both one after the other. A champion that is a refit has its recipe's name and nights: the block asks for more."""
    champion = None
    if block.champion is not None and shadow.champion is not None:
        champion = _joined(block.champion, shadow.champion)
    return Comparison(
        _joined(block.challenger, shadow.challenger), _joined(block.baseline, shadow.baseline), champion,
        {name: _joined(each, shadow.simple[name]) for name, each in block.simple.items()},
        {name: np.concatenate([values, shadow.traits[name]]) for name, values in block.traits.items()}, block.remarks,
    )  # fmt: skip


def _joined(one: Contestant, other: Contestant) -> Contestant:
    rows = ComparedRows(
        pa.concat_tables([one.rows.keys, other.rows.keys]), np.concatenate([one.rows.labels, other.rows.labels])
    )
    return Contestant(
        one.name, rows, np.concatenate([one.probabilities, other.probabilities]), np.concatenate([one.acts, other.acts]),
        one.used,
    )  # fmt: skip
