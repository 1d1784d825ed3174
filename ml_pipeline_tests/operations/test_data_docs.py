from dataclasses import replace
from pathlib import Path

import pytest

from ml_pipeline.contracts.expectations import Bound, Judgement
from ml_pipeline.io.table_store import PublishResult
from ml_pipeline.nights import nights_between
from ml_pipeline.operations import data_docs
from ml_pipeline.operations.data_docs import DataDocs, docs_path, write_docs, write_due_docs
from ml_pipeline.operations.expect import EXPECTATIONS, Judged, JudgedNights, judge_expectations
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_SCORED

NIGHT = SHOP_SCORED[-1]


def test_both_judges_agree_and_the_same_night_again_gives_the_same_pages(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    judged = judge_expectations(site, [NIGHT]).by_night[NIGHT]
    docs = write_docs(site, NIGHT, judged)
    assert docs.disagreements == ()
    assert docs.index == docs_path(site, NIGHT) and docs.index.is_file()
    before = {path.name: path.read_bytes() for path in docs.index.parent.iterdir()}
    assert {"index.html", "scores.html", "features.html", "returns.html"} == set(before)
    result = invoke(site, "data-docs", "--night", str(NIGHT))
    assert result.exit_code == 0, result.output
    assert f"{docs.index}" in result.output and "0 blocking" in result.output
    assert {path.name: path.read_bytes() for path in docs.index.parent.iterdir()} == before


def test_a_verdict_that_the_rows_do_not_bear_out_and_one_that_cannot_be_had_are_disagreements(
    scored_shop_copy: Site,
) -> None:
    judged = judge_expectations(scored_shop_copy, [NIGHT]).by_night[NIGHT]
    scores = judged[0]
    wrong = Judgement(Bound("mean", "probability", 2.0, 3.0, "blocking"), 2.5)
    unknown = Judgement(Bound("mean", "decision", 0.0, 1.0, "warning"), 0.5)
    lied = replace(scores, judgements=(wrong, unknown))
    docs = write_docs(scored_shop_copy, NIGHT, [lied])
    (found,) = docs.disagreements
    assert "says otherwise of blocking: probability mean is 2.5" in found
    text = Judgement(Bound("mean", "reason_1", 0.0, 1.0, "warning"), 0.5)
    (found,) = write_docs(scored_shop_copy, NIGHT, [replace(scores, judgements=(text,))]).disagreements
    assert "could not judge reason_1 mean" in found


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Nights that would be written; the library is not asked."""
    nights: list[object] = []

    def write(site: Site, night: object, judged: object) -> DataDocs:
        nights.append(night)
        docs_path(site, night).parent.mkdir(parents=True, exist_ok=True)
        docs_path(site, night).touch()
        return DataDocs(night, Path(), ())

    monkeypatch.setattr(data_docs, "write_docs", write)
    return nights


def outcome_of(scored_shop: Site, odd: list[int], changed: bool = True) -> JudgedNights:
    """Nights from Monday 6 May; those of ``odd`` have a warning that is not met."""
    from ml_pipeline.io.model_bundle import read_bundle
    from ml_pipeline.operations.data_assets import data_assets
    from ml_pipeline.operations.promote import current_champion

    asset = data_assets(scored_shop, read_bundle(scored_shop.models, str(current_champion(scored_shop))))[0]
    nights = nights_between(SHOP_SCORED[1], SHOP_SCORED[5])
    by_night = {
        night: [Judged(asset, (Judgement(Bound("mean", "score", 0.0, 1.0, "warning"), 2.0 if place in odd else 0.5),))]
        for place, night in enumerate(nights)
    }
    return JudgedNights(
        PublishResult(EXPECTATIONS, 1, nights if changed else (), () if changed else nights, 0), by_night
    )


def test_nights_are_due_by_weekday_and_when_the_verdict_changes_two_at_most(
    scored_shop_copy: Site, written: list[object]
) -> None:
    site = scored_shop_copy
    weekday = site.project.monitoring.report_weekday
    quiet = outcome_of(site, [])
    expected = [night for night in quiet.by_night if night.weekday() == weekday]
    write_due_docs(site, quiet)
    assert written == expected
    written.clear()
    write_due_docs(site, outcome_of(site, [2]))
    nights = list(quiet.by_night)
    due = sorted({*expected, nights[2], nights[3]})
    assert written == due[-2:]
    written.clear()
    write_due_docs(site, outcome_of(site, [2], changed=False))
    assert written == [], "what stands is left alone"
