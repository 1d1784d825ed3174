from datetime import date

import click
import pytest
from click.testing import CliRunner

from ml_pipeline.cli.tune import recalibrate, tune
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.operations.test_tune import CONTRACT, tunable


def invoke(site: Site, command: click.Command, *arguments: str) -> tuple[int, str]:
    """Run ``command`` on ``site``, as the front door hands it over."""
    result = CliRunner().invoke(command, arguments, obj=lambda: site)
    return result.exit_code, result.output


def test_trials_are_told_from_the_best_to_the_worst(trainable_shop: Site) -> None:
    code, told = invoke(
        tunable(trainable_shop, CONTRACT.model_copy(update={"trials": 2})), tune, "--night", "2024-05-22"
    )
    assert code == 0, told
    lines = [line for line in told.splitlines() if "  trial " in line]
    losses = [float(line.split()[0]) for line in lines]
    assert (len(lines), losses) == (2, sorted(losses))
    assert "recorded: 2 trials" in told
    (entry,) = trainable_shop.ledger("tunings").entries()
    assert entry["reasons"][0] in told


def test_a_project_that_declares_no_tuning_is_told_what_to_write(built_shop: Site) -> None:
    code, told = invoke(built_shop, tune, "--night", "2024-05-22")
    assert code == 1
    assert "add a section tuning" in told


def test_the_champion_is_recalibrated_and_the_gate_is_asked(scored_shop_copy: Site) -> None:
    champion = current_champion(scored_shop_copy)
    code, told = invoke(scored_shop_copy, recalibrate, "--night", "2024-05-24")
    assert code == 0, told
    assert f"the trees of {champion}" in told
    last = scored_shop_copy.ledger("promotions").entries()[-1]
    assert (last["judged_on"], last["champion_before"]) == (str(date(2024, 5, 24)), champion)
    assert "; ".join(last["reasons"]) in told


@pytest.mark.parametrize("command", [tune, recalibrate])
def test_a_night_is_needed(built_shop: Site, command: click.Command) -> None:
    code, told = invoke(built_shop, command)
    assert code == 2
    assert "--night" in told
