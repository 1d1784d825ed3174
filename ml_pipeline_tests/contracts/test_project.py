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
