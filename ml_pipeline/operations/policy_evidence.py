"""Collects what the policy decides on: a tick for each watched night, and what the ledgers say of trainings and verdicts."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.cost_saving import JudgedNight, cost_saving
from ml_pipeline.domain.drift_effect import drifted_share
from ml_pipeline.domain.look_schedule import LOOKS
from ml_pipeline.domain.policy import Tick
from ml_pipeline.domain.policy_record import GateJudgement, PolicyRecord, ShadowCase
from ml_pipeline.io.model_bundle import MANIFEST, BundleError, read_manifest
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.estimate import ESTIMATES, MATURED
from ml_pipeline.operations.expect import EXPECTATIONS
from ml_pipeline.operations.judged_costs import CHAMPIONS_OWN, judged_costs
from ml_pipeline.operations.judged_nights import LONGEST_WINDOW_NIGHTS
from ml_pipeline.operations.mature import PERFORMANCE
from ml_pipeline.operations.matured_calibration import CALIBRATION
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.recalibrate import SOURCE
from ml_pipeline.operations.shadow_lanes import is_final
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import TRAININGS
from ml_pipeline.operations.watch import DRIFT

REARMED = "policy_rearmed"
# No rule of the policy looks further back; a fixed number, so that a night alone sees what it sees within a range.
HISTORY_NIGHTS = 120

_Rows = dict[Night, list[dict[str, Any]]]


def read_history(site: Site, nights: Sequence[Night]) -> dict[Night, list[Tick]]:
    """For each of ``nights`` the ticks that end with it, each made of what was published for its own night."""
    evidence = _read(site, nights)
    ticks = {night: evidence.tick(night) for night in sorted(evidence.drift)}
    return {night: [ticks[past] for past in _history_of(night) if past in ticks] for night in nights}


def read_record(site: Site) -> PolicyRecord:
    """Trainings, recalibrations and verdicts of the gate, of all times; the requests are the caller's to add.

    A promotion by hand, a rollback by hand and a rearming put a person behind what comes after, so they end a row of refusals.
    """
    trained: list[Night] = []
    recalibrated: list[Night] = []
    for entry in site.ledger(TRAININGS).entries():
        made = recalibrated if _is_recalibration(site, str(entry["version"])) else trained
        made.append(Night.fromisoformat(entry["trained_on"]))
    entries = site.ledger(PROMOTIONS).entries()
    judgements = [*map(_judgement, filter(_has_judged, entries))]
    rearmed = [
        GateJudgement(nights_back(Night.fromisoformat(entry["night"]), 1), True)
        for entry in site.ledger(REARMED).entries()
    ]
    in_order = sorted([*judgements, *rearmed], key=lambda judgement: judgement.night)
    cases = tuple(_cases(site, entries, [judgement.night for judgement in rearmed]))
    return PolicyRecord(tuple(sorted(trained)), tuple(sorted(recalibrated)), (), tuple(in_order), cases)


def _cases(
    site: Site, entries: Sequence[Mapping[str, Any]], rearmed: Sequence[Night]
) -> Iterator[ShadowCase]:  # fmt: skip
    """Every challenger that was refused beside a champion. The time that its looks need, and then some, ends its case.

    So does a person who rearms the policy.
    """
    nights = (
        LOOKS * site.project.serving.shadow_nights + site.project.label.horizon_nights + site.project.policy.open_nights
    )
    for place, entry in enumerate(entries):
        is_verdict = entry.get("kind", "verdict") == "verdict" and entry.get("judged_on")
        if not is_verdict or entry["is_promoted"] or entry["champion_before"] in {None, entry["challenger"]}:
            continue
        refused_on = _judgement(entry).night
        settled = [_judgement(each).night for each in entries[place + 1 :] if _settles(each, str(entry["challenger"]))]
        settled += [night for night in rearmed if night >= refused_on]
        until = nights_back(Night.fromisoformat(entry["effective_from"]), 1 - nights)
        yield ShadowCase(refused_on, until, min(settled, default=None))


def _settles(entry: Mapping[str, Any], challenger: str) -> bool:
    """Whether ``entry`` leaves nothing to wait for: the last look at ``challenger``, or another model in its place."""
    kind = entry.get("kind", "verdict")
    if kind == "second_look":
        return entry["challenger"] == challenger and is_final(dict(entry))
    return bool(entry["is_promoted"]) or kind == "verdict"


def _is_recalibration(site: Site, version: str) -> bool:
    """A bundle that is gone or damaged counts as a training: that cools down the most, and keeps no night undecided."""
    try:
        return SOURCE in read_manifest(site.models / version / MANIFEST)
    except (BundleError, OSError):
        return False


def _has_judged(entry: Mapping[str, Any]) -> bool:
    """A second look refuses nobody who was not refused before; a rollback after a probation has no person behind it."""
    kind = entry.get("kind")
    if kind == "rollback" and entry.get("judged_on"):
        return False
    is_refused = not entry["is_promoted"] and kind not in {"no_comparison", "second_look", "probation"}
    return bool(entry["is_promoted"]) or (is_refused and entry["challenger"] != entry["champion_before"])


def _judgement(entry: Mapping[str, Any]) -> GateJudgement:
    return GateJudgement(Night.fromisoformat(entry["judged_on"] or entry["effective_from"]), bool(entry["is_promoted"]))


def _history_of(night: Night) -> tuple[Night, ...]:
    return nights_between(nights_back(night, HISTORY_NIGHTS - 1), night)


@dataclass(frozen=True)
class _Published:
    site: Site
    drift: _Rows
    judged: list[JudgedNight]
    calibration: dict[Night, dict[str, Any]]
    bad_data: dict[Night, tuple[str, ...]]
    estimates: _Rows

    def tick(self, night: Night) -> Tick:
        features = self.drift[night]
        version = str(features[0]["model_version"])
        since = nights_back(night, LONGEST_WINDOW_NIGHTS - 1)
        judged = [one for one in self.judged if since <= one.judged_on <= night]
        policy = self.site.project.policy
        saving = cost_saving(
            judged, version, without=self.bad_data, least_nights=policy.min_matured_nights,
            least_rows=policy.min_matured_rows,
        )  # fmt: skip
        gap_low, gap_high = self._gap(night, version, judged)
        return Tick(
            night, version, self.bad_data.get(night, ()), drifted_share([str(row["finding"]) for row in features]),
            sum(one.rows for one in judged if one.judged_on == night and one.scored_night not in self.bad_data),
            saving, gap_low, gap_high, **_estimated(self.estimates.get(night, []), version),
            fallback_nights=sum(1 for one in judged if one.is_fallback),
        )  # fmt: skip

    def _gap(self, night: Night, version: str, judged: Sequence[JudgedNight]) -> tuple[float, float]:
        """The interval of the night's calibration, if every night behind it is the model's own; NaN else."""
        found = self.calibration.get(night)
        own = sum(1 for one in judged if one.model_version == version)
        least = self.site.project.policy.min_matured_nights
        if found is None or found["gap_low"] is None or not least <= found["nights_scored"] <= own:
            return math.nan, math.nan
        return float(found["gap_low"]), float(found["gap_high"])


def _read(site: Site, nights: Sequence[Night]) -> _Published:
    # The saving of the first night of the history is made of the judged nights before it.
    wanted = sorted({
        past for night in nights for past in nights_between(nights_back(night, HISTORY_NIGHTS + LONGEST_WINDOW_NIGHTS), night)
    })  # fmt: skip
    drift = _rows(site, DRIFT, wanted, ["feature", "model_version", "finding", "is_drifted", "fault"])
    champions = {night: str(rows[0]["model_version"]) for night, rows in drift.items() if rows}
    judged = judged_costs(_rows(site, PERFORMANCE, wanted), champions)
    calibration = {
        night: row
        for night, rows in _rows(site, CALIBRATION, wanted).items()
        for row in rows
        if (row["subject"], row["part"]) == ("model", "all")
    }
    bad = _broken_expectations(site, wanted)
    for night, words in _faulty_features(drift, site.project.drift.max_faulty_share).items():
        bad[night] = (*bad.get(night, ()), *words)
    estimates = _rows(site, ESTIMATES, wanted)
    return _Published(site, {night: drift[night] for night in champions}, judged, calibration, bad, estimates)


def _rows(site: Site, table: str, nights: Sequence[Night], columns: Sequence[str] | None = None) -> _Rows:
    published = sorted(site.tables.published(table, nights))
    found: _Rows = defaultdict(list)
    if published:
        for row in site.tables.read(table, published, columns).to_pylist():
            found[row[SCORE_DATE]].append(row)
    return found


def _estimated(rows: Sequence[Mapping[str, Any]], version: str) -> dict[str, Any]:
    """What a night expects of the nights of ``version`` that wait for labels; numbers are missing unless they may count."""
    # The grade is that of the champion that scored last, the last row's.
    rows = [row for row in rows if row.get("served_by") in CHAMPIONS_OWN]
    if not rows or rows[-1]["model_version"] != version:
        return {}
    newest = rows[-1]
    told = {"is_estimate_trusted": newest["is_trusted"], "estimate_reasons": (newest["reasons"],)}
    waiting = [row for row in rows if row["model_version"] == version and row["state"] != MATURED and row["rows"]]
    if not waiting or not newest["is_trusted"]:
        return told
    sums = {
        name: sum(row["rows"] * row[name] for row in waiting)
        for name in ("expected_log_loss", "expected_cost", "expected_baseline_cost")
    }
    promised, baseline = newest["promised_log_loss"], sums["expected_baseline_cost"]
    return told | {
        "estimated_log_loss": sums["expected_log_loss"] / sum(row["rows"] for row in waiting),
        "promised_log_loss": math.nan if promised is None else promised,
        "estimated_saving": 1 - sums["expected_cost"] / baseline if baseline else math.nan,
    }


def _broken_expectations(site: Site, nights: Sequence[Night]) -> dict[Night, tuple[str, ...]]:
    """What each bad night broke of what was expected, at most five in words; good nights are not in it."""
    published = sorted(site.tables.published(EXPECTATIONS, nights))
    if not published:
        return {}
    rows = site.tables.read(EXPECTATIONS, published)
    broken = rows.filter(pc.and_(pc.equal(rows["severity"], "blocking"), pc.invert(rows["is_met"])))
    told: dict[Night, list[str]] = defaultdict(list)
    for row in broken.to_pylist():
        what = " ".join(part for part in (row["data_asset"], row["column"], row["expectation"]) if part)
        told[row[SCORE_DATE]].append(f"{what} is {row['observed']}, not within {row['lower']} to {row['upper']}")
    return {
        night: (*words[:5], *([f"and {len(words) - 5} more"] if len(words) > 5 else []))
        for night, words in told.items()
    }


def _faulty_features(drift: _Rows, max_share: float) -> dict[Night, tuple[str, ...]]:
    """The nights on which more than so many features have a fault; a fault of one may be chance or a dead sensor."""
    found: dict[Night, tuple[str, ...]] = {}
    for night, rows in drift.items():
        faulty = [row for row in rows if row["fault"]]
        if rows and len(faulty) / len(rows) > max_share:
            first = f"{faulty[0]['feature']}: {faulty[0]['fault']}"
            found[night] = (
                f"{len(faulty)} of {len(rows)} features have a fault, {max_share:.0%} are the limit; {first}",
            )
    return found
