import numpy as np
import pytest

from ml_pipeline.domain.evaluation import evaluate
from ml_pipeline.domain.gate_findings import beats_on_every_metric, gains_enough, holds_on_slices, serves_groups
from ml_pipeline_tests.domain.contests import TERMS, contestant, log_odds, made_rows

_RNG = np.random.default_rng(13)
RISK = log_odds(np.full(1400, 0.3), _RNG.normal(0, 1.2, 1400))
ROWS = made_rows(RISK, nights=14)
GOOD = contestant("new", ROWS, RISK)
POOR = contestant("old", ROWS, log_odds(RISK, _RNG.normal(0, 1, 1400)))
SHELVES = np.array(["books", "shoes"], dtype=object)[(np.arange(1400) % 7 == 0).astype(int)]


def test_each_metric_is_a_finding_of_its_own() -> None:
    better = list(beats_on_every_metric(evaluate(ROWS.labels, RISK), evaluate(ROWS.labels, POOR.probabilities)))
    worse = list(beats_on_every_metric(evaluate(ROWS.labels, POOR.probabilities), evaluate(ROWS.labels, RISK)))
    assert [one.reason.split()[0] for one in better] == ["log_loss", "brier", "roc_auc", "average_precision"]
    assert [one.has_held for one in (*better, *worse)] == [True] * 4 + [False] * 4


def test_nothing_beats_what_cannot_be_measured() -> None:
    nothing = evaluate(np.empty(0), np.empty(0))
    mine = evaluate(ROWS.labels, RISK)
    assert not any(one.has_held for pair in ((mine, nothing), (nothing, mine)) for one in beats_on_every_metric(*pair))


@pytest.mark.parametrize("is_champion", [True, False])
def test_a_loss_of_log_loss_matters_against_a_champion_only(is_champion: bool) -> None:
    finding = gains_enough(POOR, GOOD, TERMS, seed=1, is_champion=is_champion)
    assert finding.has_held != is_champion
    assert ("margin" in finding.reason) == is_champion
    assert set(finding.numbers["gain_over"]) == {"champion" if is_champion else "baseline"}


def test_a_small_slice_is_recorded_and_does_not_judge() -> None:
    for rows, has_held in ((201, True), (200, False)):
        terms = TERMS.model_copy(update={"min_slice_rows": rows, "slice_margin": 0.0})
        mixed = contestant("mixed", ROWS, np.where(SHELVES == "shoes", POOR.probabilities, RISK))
        other = contestant("other", ROWS, np.where(SHELVES == "shoes", RISK, POOR.probabilities))
        finding = holds_on_slices(mixed, other, SHELVES, terms, feature="shelf", seed=1, is_champion=True)
        assert (finding.has_held, set(finding.numbers["slices"]["shelf"])) == (has_held, {"books", "shoes"})


def test_group_numbers_hold_the_spread_of_the_judged_groups() -> None:
    terms = TERMS.model_copy(update={"min_slice_rows": 100})
    finding = serves_groups({"challenger": GOOD, "baseline": POOR}, "shelf", SHELVES, terms)
    recorded = finding.numbers["groups"]["shelf"]["challenger"]
    rates = [group["selection_rate"] for group in recorded["by_group"].values()]
    assert recorded["spreads"]["selection_rate"] == pytest.approx(max(rates) - min(rates))
    assert "over that of old" in finding.reason
