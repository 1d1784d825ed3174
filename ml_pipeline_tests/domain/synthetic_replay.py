"""A made-up replay: 300 nights, four policies and one disturbed year from a seeded generator. Nothing in it was measured."""

import math
from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from ml_pipeline.domain.replay_report import (
    Interval,
    PolicyYear,
    ReplayedIncident,
    ReplayedModel,
    ReplayedNight,
    ReplayReport,
)

FIRST = date(2013, 3, 1)
TITLES = {
    "never": "Never retrain", "monthly": "Retrain monthly", "drift": "Drift policy", "recalibrate": "Recalibrate only",
}  # fmt: skip
_MADE_ON = {
    "never": (),
    "monthly": tuple(range(31, 300, 30)),
    "drift": (48, 92, 141, 176, 236),
    "recalibrate": (60, 130, 210),
}
_REFUSED = {"monthly": {61, 181}, "drift": {92, 176}, "recalibrate": {130}}


def night_at(place: int) -> date:
    return FIRST + timedelta(days=place)


def synthetic_report(nights: int = 300, names: tuple[str, ...] = tuple(TITLES)) -> ReplayReport:
    years = {name: _year(name, nights) for name in names}
    years = {name: replace(year, saved=_saved(year, years)) for name, year in years.items()}
    incidents = tuple(each for each in _incidents() if each.last < night_at(nights))
    disturbed = (_disturbed(years["drift"], incidents),) if "drift" in years and incidents else ()
    drift = years.get("drift")
    clean = sum(night.night <= date(2013, 5, 31) for night in drift.nights) if drift else 1
    return ReplayReport(
        "synthetic_shop", "A synthetic year, for tests only", FIRST, night_at(nights - 1),
        "a miss costs 3, a false alarm 1", date(2013, 5, 31), 100 * (drift.false_alarms if drift else 0) / clean,
        tuple(years.values()), disturbed, incidents, notes=("Every number here comes from a seeded generator.",),
    )  # fmt: skip


def _models(name: str, nights: int) -> tuple[ReplayedModel, ...]:
    act = "recalibrate" if name == "recalibrate" else "train"
    made = [(0, True), *((place, place not in _REFUSED.get(name, ())) for place in _MADE_ON[name] if place < nights)]
    served = [place for place, is_promoted in made if is_promoted]
    found = []
    for number, (place, is_promoted) in enumerate(made):
        later = [other for other in served if other > place]
        end = (later[0] if later else nights) - 1
        found.append(ReplayedModel(
            f"{name}_{number:02}", night_at(place), act if number else "train",
            f"{name}_00" if number and act == "recalibrate" else "", "start" if not number else "calendar" if name == "monthly" else "policy",
            is_promoted, ("costs 2.1 % less than the champion on the test nights",) if is_promoted else ("the interval of the cost includes zero",),
            night_at(place - 180), night_at(place - 10),
            night_at(place) if is_promoted else None, night_at(end) if is_promoted else None,
        ))  # fmt: skip
    return tuple(found)


def _year(name: str, nights: int) -> PolicyYear:
    models = _models(name, nights)
    promoted = [model for model in models if model.is_promoted]
    acts = {model.made_on: model for model in models[1:]}
    alarms = {20} if name == "drift" else set()
    world = np.random.default_rng(2013)
    found = []
    for place in range(nights):
        night, rows = night_at(place), int(world.integers(850, 1000))
        season = 0.22 + 0.07 * math.sin((place - 40) / 300 * 4 * math.pi) + 0.03 * world.standard_normal()
        model = [each for each in promoted if each.made_on <= night][-1]
        age = (night - model.made_on).days
        stale = 0.00012 * age * (0.4 if name == "recalibrate" else 1)
        loss = 0.36 + 0.62 * season + stale + 0.006 * world.standard_normal()
        baseline = 3 * season * rows * 0.80
        cost = baseline * (0.86 + 2.2 * stale + 0.02 * world.standard_normal())
        verdict = "nothing"
        if night in acts:
            verdict = "recalibrate" if acts[night].act == "recalibrate" else "retrain"
        elif place in alarms:
            verdict = "alarm"
        is_known = place != 17
        found.append(ReplayedNight(
            night, model.version, "champion", rows if is_known else 0, cost if is_known else math.nan,
            baseline if is_known else math.nan, loss if is_known else math.nan, 0.41 + 0.62 * season if is_known else math.nan,
            loss / 3.1 if is_known else math.nan, max(0.0, min(1.0, 0.08 + 0.0016 * age + 0.03 * world.standard_normal())),
            1 - cost / baseline if place > 3 else math.nan, loss + 0.004, verdict, "none" if verdict == "nothing" else "advisory",
            f"{int(100 * (0.08 + 0.0016 * age))}% of the features drifted, 30% is the limit; saves {1 - cost / baseline:.1%} of the baseline's cost, 10.0% is asked for",
        ))  # fmt: skip
    return _totals(name, tuple(found), models, len(alarms))


def _totals(
    name: str, nights: tuple[ReplayedNight, ...], models: tuple[ReplayedModel, ...], false_alarms: int
) -> PolicyYear:
    known = [night for night in nights if night.rows]
    rows = sum(night.rows for night in known)
    acts = [model.act for model in models[1:]]
    return PolicyYear(
        name, TITLES[name], f"{TITLES[name]}: a made-up policy of the tests.", nights, models, rows,
        sum(night.cost for night in known), sum(night.baseline_cost for night in known),
        sum(night.log_loss * night.rows for night in known) / rows, sum(night.brier * night.rows for night in known) / rows,
        0.7012 + 0.001 * len(acts), 0.4127 + 0.001 * len(acts), 0.0213 - 0.001 * len(acts), acts.count("train"), acts.count("recalibrate"),
        sum(model.is_promoted for model in models[1:]), sum(night.verdict == "alarm" for night in nights), false_alarms, {},
    )  # fmt: skip


def _saved(year: PolicyYear, years: dict[str, PolicyYear]) -> dict[str, Interval]:
    others = {name: other.cost for name, other in years.items() if name != year.name} | {"baseline": year.baseline_cost}
    found = {}
    for name, cost in others.items():
        half = 900.0 + 0.25 * abs(cost - year.cost)
        found[name] = Interval(cost - year.cost, cost - year.cost - half, cost - year.cost + half, 0.95)
    return found


def _incidents() -> tuple[ReplayedIncident, ...]:
    made = (
        ("broken_source", "A source is broken for three nights", "orders", 70, 72, "bad_data", "bad_data", 70, "check of the source"),
        ("unit_change", "A unit changes", "temperatures", 118, 131, "bad_data", "drift", 121, "drift of the features"),
        ("late_data", "Data come a week late", "orders", 160, 166, "late_data", "late_data", 161, "freshness check"),
        ("label_outage", "No labels for ten nights", "outcomes", 205, 214, "missing_labels", "nothing", None, ""),
    )  # fmt: skip
    return tuple(
        ReplayedIncident(
            name, title, source, night_at(first), night_at(last), truth, found,
            None if seen is None else night_at(seen), None if seen is None else seen - first, by, f"{title}: made up for the tests.",
        )
        for name, title, source, first, last, truth, found, seen, by in made
    )  # fmt: skip


def _disturbed(year: PolicyYear, incidents: tuple[ReplayedIncident, ...]) -> PolicyYear:
    nights = []
    for night in year.nights:
        hit = next((each for each in incidents if each.first <= night.night <= each.last), None)
        if hit is None:
            nights.append(night)
        elif hit.detected_on is not None and night.night >= hit.detected_on:
            worse = 0.0 if hit.truth == "late_data" else 0.35
            nights.append(replace(night, cost=night.cost * (1 + worse), drifted_share=min(1.0, night.drifted_share + worse),
                                  verdict="alarm", severity="blocking" if hit.truth == "late_data" else "advisory",
                                  served_by="baseline" if hit.name == "broken_source" else "champion",
                                  reasons=f"bad data is not drift: {hit.title}"))  # fmt: skip
        else:
            nights.append(replace(night, cost=night.cost * 1.2))
    return replace(_totals(year.name, tuple(nights), year.models, year.false_alarms), saved={})
