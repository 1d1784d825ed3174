from datetime import date

import dagster as dg
import pytest

from ml_pipeline.definitions import definitions
from ml_pipeline.defs.default_run import Stage, StageFailedError, execute_stage, landing_stages, stages
from ml_pipeline.defs.project import sql_project
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site

NIGHT = date(2024, 4, 3)


def test_every_source_has_a_stage_and_a_reference_one_night(shop_site: Site) -> None:
    found = {stage.title: stage for stage in landing_stages(shop_site, NIGHT)}
    assert set(found) == {f"land {name}" for name in shop_site.sql.sources}
    for name, source in shop_site.sql.sources.items():
        nights = found[f"land {name}"].stale()
        assert found[f"land {name}"].assets == (f"raw/{name}",)
        assert len(nights) == (1 if source.reference else (NIGHT - shop_site.project.first_night).days + 1), name


def test_what_has_landed_is_not_stale(shop_site: Site) -> None:
    (stage,) = [stage for stage in landing_stages(shop_site, NIGHT) if stage.title == "land orders"]
    land(shop_site, "orders", list(stage.stale()))
    assert list(stage.stale()) == []


def test_the_chain_trains_before_it_scores_and_judges_after(shop_site: Site) -> None:
    titles = [stage.title for stage in stages(shop_site)]
    order = [
        "build features",
        "build labels",
        "train and promote",
        "score",
        "judge matured nights",
        "decide on retraining",
    ]
    assert [title for title in titles if title in order] == order


def test_a_stage_that_fails_says_which_nights_and_why() -> None:
    """The first night of the project: whatever was trained later, no model can have been champion on it."""
    first = sql_project().project.first_night
    stage = Stage("score", "scoring", ("scores",), lambda: [first])
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(StageFailedError) as caught:
        execute_stage(definitions(), instance, stage, first, first)
    message = str(caught.value)
    assert f"score, nights {first} to {first}, run " in message
    assert f"no model was champion on night {first}" in message
