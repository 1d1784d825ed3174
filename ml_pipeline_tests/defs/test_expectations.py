import os
import subprocess
import sys
from datetime import date

import dagster as dg
import pytest

from ml_pipeline.contracts.expectations import Bound, Judgement
from ml_pipeline.defs.expectations import _agreement, _checks, _table
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.data_assets import DataAsset
from ml_pipeline.operations.data_docs import DataDocs
from ml_pipeline.operations.decide import DECISIONS
from ml_pipeline.operations.expect import EXPECTATIONS, Judged
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.defs.test_jobs import execute
from ml_pipeline_tests.processes import ROOT

NIGHT = date(2013, 7, 1)


def judged(severity: str, observed: float, name: str = "scores") -> list[Judged]:
    asset = DataAsset(name, name, (), (), {}, 1)
    return [Judged(asset, (Judgement(Bound("mean", "score", 0.0, 1.0, severity), observed),))]


@pytest.mark.parametrize(
    ("severity", "observed", "passed", "weight"),
    [
        ("blocking", 0.5, True, "WARN"), ("blocking", 2.0, False, "ERROR"), ("warning", 2.0, False, "WARN"),
        ("warning", 0.5, True, "WARN"),
    ],
)  # fmt: skip
def test_only_what_blocks_is_an_error(severity: str, observed: float, passed: bool, weight: str) -> None:
    nights = {NIGHT: judged("warning", 0.5), date(2013, 7, 2): judged(severity, observed)}
    results = {result.check_name: result for result in _checks(nights)}
    assert set(results) == {"scores_as_expected", "features_as_expected", "outcomes_as_expected"}
    result = results["scores_as_expected"]
    assert (result.passed, result.severity) == (passed, dg.AssetCheckSeverity[weight])
    assert (result.metadata["judged"].value, result.metadata["not_met"].value) == (2, int(not passed))
    assert ("2013-07-02" in str(result.metadata["first_not_met"])) is not passed
    assert ("2013-07-02 | scores" in _table(nights).value) is not passed


def test_judges_that_differ_are_an_error() -> None:
    docs = DataDocs(NIGHT, None, ("night 2013-07-01, scores: says otherwise",))
    assert (_agreement([docs]).passed, _agreement([docs]).severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert _agreement([]).passed


def test_a_night_that_is_not_as_it_must_be_fails_the_run_and_is_decided_all_the_same(scored_shop_copy: Site) -> None:
    """Most of the night's outcomes are gone from what was landed, as if half a delivery had been taken for a whole.

    A night without a decision would count as left out: the schedule would ask for it again, and for ever.
    """
    site, night = scored_shop_copy, SHOP_SCORED[-1]
    rows = site.tables.read("raw/returns", [night])
    assert rows.num_rows > 8
    site.tables.publish("raw/returns", rows.slice(0, 1), {night: NightInputs("", {})}, key=["order_id"])
    done = execute(site, "watching", night)
    assert done.returncode != 0
    assert "data_are_sound" in done.stderr
    (decision,) = site.tables.read(DECISIONS, [night], ["verdict", "is_bad_data", "reasons"]).to_pylist()
    assert (decision["verdict"], decision["is_bad_data"]) == ("alarm", True)
    assert "returns" in decision["reasons"]
    assert night in site.tables.published(DECISIONS)
    published = site.tables.read(EXPECTATIONS, [night], ["is_met", "severity", "data_asset"]).to_pylist()
    assert {entry["data_asset"] for entry in published if not entry["is_met"] and entry["severity"] == "blocking"} == {
        "returns"
    }
    assert sum(not entry["is_met"] for entry in published) >= 1


def test_the_library_is_not_imported_before_it_is_asked() -> None:
    """Its import takes longer than judging a night by our own numbers: most nights must not pay for it."""
    code = "import sys; from ml_pipeline.definitions import definitions; definitions(); print('great_expectations' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ML_PIPELINE")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, text=True, capture_output=True, check=True
    )
    assert done.stdout.split() == ["False"]
