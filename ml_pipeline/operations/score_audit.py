"""The audits of scores before they are published: what refuses a rung, and what holds a night for a person."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.serving import SCORES, Served
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.audit import Distribution, ScoreAudit, audit_scores, distributions, out_of_bounds
from ml_pipeline.io.alerts import raise_alert
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.site import Site

HOLDS, ACCEPTANCES = "held_scores", "accepted_scores"
_SHOWN = 5
_SHAPE = ["probability", "threshold", "served_by"]


class ScoreAuditError(RuntimeError):
    """Scores failed their audit; what was published before stands."""


class ScoresHeldError(ScoreAuditError):
    """Scores are unlike the nights before; they wait until a person accepts them, and what was published stands."""


def audited(
    rows: pa.Table, spine: pa.Table, nights: Sequence[Night], key: Sequence[str], *, version: str,
    may_be_alike: bool = False,
) -> list[ScoreAudit]:  # fmt: skip
    """One audit a night of ``rows`` against the rows of the spine, or of the features, which are the spine's.

    Raises:
        ScoreAuditError: a night has no row to score. No other rung has either.
    """
    counts = spine.group_by([SCORE_DATE]).aggregate([([], "count_all")])
    found = dict(zip(*(counts.column(name).to_pylist() for name in (SCORE_DATE, "count_all")), strict=True))
    expected = {night: int(found.get(night, 0)) for night in nights}
    audits = audit_scores(rows, expected, key, spine=spine, may_be_alike=may_be_alike)
    empty = [audit for audit in audits if not audit.expected_rows]
    if empty:
        raise ScoreAuditError(
            f"table {SCORES}: {len(empty)} of {len(audits)} nights failed the audit ({in_words(empty)}). Nothing was "
            f"published; the nights keep what they had. Model {version}"
        )
    return audits


def in_words(audits: Sequence[ScoreAudit]) -> str:
    """Night and rules of the first few failed audits."""
    shown = "; ".join(f"night {audit.night}: {', '.join(audit.broken)}" for audit in audits[:_SHOWN])
    return shown + (f"; and {len(audits) - _SHOWN} nights more" if len(audits) > _SHOWN else "")


def hold_the_unlike(
    site: Site, rows: pa.Table, served: Mapping[Night, Served], inputs: Mapping[Night, NightInputs]
) -> None:
    """Refuse to publish new ``rows`` if a night of them is unlike the published nights before it, and was not accepted.

    The history of a night holds nights before it alone, those of this call among them, so that a range is judged as its
    nights would be. What the baseline served is neither judged (its rates are constants of a training) nor history.

    Raises:
        ScoresHeldError: names night, rule and remedy. Each hold is in the ledger ``held_scores``, with an alert.
    """
    accepted = {(entry["night"], entry["inputs_hash"]) for entry in site.ledger(ACCEPTANCES).entries()}
    history = _history(site, rows, sorted(inputs))
    held = {}
    for night in sorted(inputs):
        if served[night].rung == "baseline" or (str(night), inputs[night].inputs_hash) in accepted:
            continue
        first = nights_back(night, site.project.serving.history_nights)
        before = [history[past] for past in nights_between(first, nights_back(night, 1)) if past in history]
        if told := out_of_bounds(history[night], before, site.project.serving):
            held[night] = told
    if held:
        _note(site, held, served, inputs)
        night, told = next(iter(held.items()))
        raise ScoresHeldError(
            f"table {SCORES}: HOLD: {len(held)} of {len(inputs)} nights are unlike the nights before (night {night}: "
            f"{'; '.join(told)}). Nothing was published; the nights keep what they had. Look at the inputs of "
            f"{_listed(list(held))}; if they are right: ml-pipeline scores accept --night {night} --reason ..., and score again"
        )


def _history(site: Site, rows: pa.Table, new: Sequence[Night]) -> dict[Night, Distribution]:
    """By night: of the new rows, and of what is published of all other nights that a history may hold."""
    first = nights_back(new[0], site.project.serving.history_nights)
    others = sorted(set(nights_between(first, new[-1])) - set(new))
    published = sorted(site.tables.published(SCORES, others)) if others else []
    parts = [rows.select([SCORE_DATE, *_SHAPE])]
    if published:
        parts.append(site.tables.read(SCORES, published, _SHAPE))
    shown = pa.concat_tables(parts)
    by_model = shown.filter(pc.not_equal(shown.column("served_by"), "baseline"))
    return {one.night: one for one in distributions(by_model)}


def _note(
    site: Site, held: Mapping[Night, tuple[str, ...]], served: Mapping[Night, Served],
    inputs: Mapping[Night, NightInputs],
) -> None:  # fmt: skip
    """Once for each content: a retry of the same run is no news."""
    ledger = site.ledger(HOLDS)
    noted = {(entry["night"], entry["inputs_hash"]) for entry in ledger.entries()}
    new = [night for night in held if (str(night), inputs[night].inputs_hash) not in noted]
    for night in new:
        ledger.append({
            "night": str(night), "inputs_hash": inputs[night].inputs_hash, "version": served[night].version,
            "policy": served[night].policy, "reasons": list(held[night]),
        })  # fmt: skip
    if new:
        raise_alert(
            site.ledger("alerts"), severity="blocking", title="scores are held", night=_listed(new),
            detail="; ".join(held[new[0]]),
        )  # fmt: skip


def accept_held(site: Site, night: Night, *, reason: str) -> str:
    """Let the newest held scores of ``night`` be published by the next scoring; returns their inputs hash.

    What is accepted is this night made from these inputs: other features or another model are held anew.

    Raises:
        ValueError: the reason is empty. LookupError: no scores of the night are held.
    """
    if not reason.strip():
        raise ValueError("an acceptance needs a reason: say what was looked at")
    held = [entry for entry in site.ledger(HOLDS).entries() if entry["night"] == str(night)]
    if not held:
        raise LookupError(f"no scores of night {night} are held")
    inputs_hash = str(held[-1]["inputs_hash"])
    site.ledger(ACCEPTANCES).append({"night": str(night), "inputs_hash": inputs_hash, "reason": reason.strip()})
    return inputs_hash


def _listed(nights: Sequence[Night]) -> str:
    return str(nights[0]) if len(nights) == 1 else f"{nights[0]} to {nights[-1]}"
