"""What a replayed year said by itself of its data: holds, refusals, alarms, late rows and labels that did not come."""

from collections import defaultdict
from collections.abc import Iterator

from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.domain.lateness import LATE
from ml_pipeline.domain.replay_incidents import Found
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.holds import hold_ledger
from ml_pipeline.operations.late_arrivals import LATE_ARRIVALS
from ml_pipeline.operations.mature import PERFORMANCE
from ml_pipeline.operations.replay_landing import REFUSED_LANDINGS
from ml_pipeline.operations.score_audit import HOLDS as HELD_SCORES
from ml_pipeline.operations.site import Site

_USUAL_NIGHTS = 28
_LEAST_LATE_ROWS = 10


def read_findings(site: Site) -> tuple[Found, ...]:
    """Everything that was found, in order of the night."""
    found = [*_at_the_door(site), *_of_scores(site), *_decided(site), *_late_rows(site), *_missing_labels(site)]
    return tuple(sorted(found, key=lambda one: one.night))


def label_sources(site: Site) -> frozenset[str]:
    """The sources that the label is made from, references aside: without them a night cannot be judged."""
    told_by = site.sql.lookbacks(site.sql.needed_for([site.project.label.model]))
    return frozenset(name for name in told_by if not site.sql.sources[name].reference)


def _at_the_door(site: Site) -> Iterator[Found]:
    for hold in hold_ledger(site).holds().values():
        yield Found(Night.fromisoformat(hold.what), "held", hold.source, f"landing held, {', '.join(hold.reasons)}")
    for entry in site.ledger(REFUSED_LANDINGS).entries():
        yield Found(
            Night.fromisoformat(entry["night"]), "refused", entry["source"], f"landing refused, {entry['reason']}"
        )


def _of_scores(site: Site) -> Iterator[Found]:
    for entry in site.ledger(HELD_SCORES).entries():
        yield Found(Night.fromisoformat(entry["night"]), "held", "", f"scores held, {'; '.join(entry['reasons'])}")


def _decided(site: Site) -> Iterator[Found]:
    nights = sorted(site.tables.published(DECISIONS))
    for row in site.tables.read(DECISIONS, nights, ["verdict", "is_bad_data", "reasons"]).to_pylist():
        if row["is_bad_data"]:
            yield Found(row[SCORE_DATE], "bad_data", "", f"policy: {row['reasons']}")
        elif row["verdict"] in ("retrain", "recalibrate"):
            yield Found(row[SCORE_DATE], "drift", "", f"policy asked to {row['verdict']}")


def _late_rows(site: Site) -> Iterator[Found]:
    """Nights that landed more late rows of a source than each of the 28 nights before, and not just a few."""
    nights = sorted(site.tables.published(LATE_ARRIVALS))
    late: dict[str, dict[Night, int]] = defaultdict(lambda: defaultdict(int))
    for row in site.tables.read(LATE_ARRIVALS, nights, ["source", "kind", "rows"]).to_pylist():
        if row["kind"] == LATE:
            late[row["source"]][row[SCORE_DATE]] += row["rows"]
    for source, rows in late.items():
        for night, count in sorted(rows.items()):
            before = nights_between(nights_back(night, _USUAL_NIGHTS), nights_back(night, 1))
            usual = max((rows.get(past, 0) for past in before), default=0)
            if count >= _LEAST_LATE_ROWS and count > usual:
                yield Found(
                    night, "late_rows", source, f"{count} late rows, at most {usual} on a night of the 28 before"
                )


def _missing_labels(site: Site) -> Iterator[Found]:
    nights, least = sorted(site.tables.published(PERFORMANCE)), 1 - site.project.label.max_untimely_share
    columns = ["window_nights", "subject", "coverage", "last_scored_night"]
    for row in site.tables.read(PERFORMANCE, nights, columns).to_pylist():
        if (row["window_nights"], row["subject"]) == (1, "model") and row["coverage"] < least:
            words = f"{row['coverage']:.0%} of the outcomes of {row['last_scored_night']} are known when they should be"
            yield Found(row[SCORE_DATE], "missing_labels", "", words)
