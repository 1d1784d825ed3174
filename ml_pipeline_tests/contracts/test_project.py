from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from ml_pipeline.contracts.project import ProjectContract, load_project

FLIGHTS = Path(__file__).parents[2] / "dbt_like_sql" / "nyc_flights"


def test_cutoffs_follow_the_clock_of_the_project(shop_project: Path) -> None:
    calendar = load_project(shop_project).calendar()
    assert calendar.cutoff(date(2024, 3, 31)) == datetime(2024, 3, 30, 19, tzinfo=UTC)  # winter time in Berlin
    assert calendar.cutoff(date(2024, 4, 1)) == datetime(2024, 3, 31, 18, tzinfo=UTC)  # summer time


def test_the_default_project_is_a_project() -> None:
    project = load_project(FLIGHTS)
    assert project.calendar().cutoff(date(2013, 7, 1)) == datetime(2013, 7, 1, tzinfo=UTC)
    assert project.default_run.train_on < project.default_run.score_until <= project.default_run.land_until


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "../shop"), ("entity_key", []), ("cutoff", {"time": "25:00"}), ("owner", None),
     ("connector", {"kind": "s3"}), ("decision", {"cost_false_alarm": 0, "cost_miss": 1}), ("surprise", 1)],
)  # fmt: skip
def test_a_bad_project_is_refused_by_the_name_of_its_field(shop_project: Path, field: str, value: object) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    with pytest.raises(ValidationError, match=field):
        ProjectContract.model_validate(entry | {field: value})


def test_an_unknown_time_zone_is_refused_when_the_project_is_read(shop_project: Path) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    with pytest.raises(ValidationError, match="timezone"):
        ProjectContract.model_validate(entry | {"timezone": "Europe/Berlni"})


def test_a_project_from_before_the_embargo_was_a_choice_keeps_its_meaning(shop_project: Path) -> None:
    text = (shop_project / "project.yml").read_text(encoding="utf-8")
    assert "embargo" not in text
    assert "max_untimely_share" not in text
    project = load_project(shop_project)
    assert (project.training.embargo, project.label.max_untimely_share) == ("label_horizon", 0.05)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("training", "embargo", "none"), ("label", "max_untimely_share", 1.5), ("label", "max_untimely_share", -0.1)],
)
def test_a_bad_embargo_or_share_is_refused(shop_project: Path, part: str, field: str, value: object) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    entry[part][field] = value
    with pytest.raises(ValidationError, match=field):
        ProjectContract.model_validate(entry)


def test_a_project_from_before_the_capacity_and_the_behaviour_keeps_its_meaning(shop_project: Path) -> None:
    text = (shop_project / "project.yml").read_text(encoding="utf-8")
    assert "capacity_per_night" not in text
    assert "behaviour" not in text
    project = load_project(shop_project)
    assert project.decision.capacity_per_night is None
    assert (project.behaviour.invariant_to, project.behaviour.peers) == ((), ())


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [("decision", "capacity_per_night", 0), ("decision", "capacity_per_night", 1.5),
     ("behaviour", "tolerance", -0.1), ("behaviour", "tolerance", 2), ("behaviour", "invariant_to", "channel")],
)  # fmt: skip
def test_a_bad_capacity_or_behaviour_is_refused(shop_project: Path, part: str, field: str, value: object) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    entry[part] = entry.get(part, {}) | {field: value}
    with pytest.raises(ValidationError, match=field):
        ProjectContract.model_validate(entry)


@pytest.mark.parametrize(("first", "last"), [("2024-04-02", "2024-05-01"), ("2024-05-01", "2024-04-01")])
def test_a_backtest_goes_from_month_to_month(shop_project: Path, first: str, last: str) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    assert ProjectContract.model_validate(entry).backtest is None
    with pytest.raises(ValidationError, match="name the first nights of two months, in order"):
        ProjectContract.model_validate(entry | {"backtest": {"first": first, "last": last}})


def test_a_project_from_before_the_gate_asked_for_confidence_still_loads(shop_project: Path) -> None:
    terms = load_project(shop_project).promotion
    assert (terms.min_log_loss_gain, terms.confidence, terms.slices, terms.groups) == (0.0005, 0.95, (), ())
    assert load_project(FLIGHTS).promotion.groups == ("carrier_code", "origin_code")


@pytest.mark.parametrize(
    ("field", "value"),
    [("confidence", 0.4), ("confidence", 1.0), ("slice_margin", -0.1), ("min_slice_rows", 0), ("slices", "channel"),
     ("max_calibration_gap_growth", -1)],
)  # fmt: skip
def test_bad_terms_of_promotion_are_refused(shop_project: Path, field: str, value: object) -> None:
    entry = yaml.safe_load((shop_project / "project.yml").read_text(encoding="utf-8"))
    entry["promotion"][field] = value
    with pytest.raises(ValidationError, match=field):
        ProjectContract.model_validate(entry)
