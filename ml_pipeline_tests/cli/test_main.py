import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_pipeline.cli.main import main
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.processes import ROOT


def invoke(site: Site, *arguments: str) -> Result:
    environment = {
        "ML_PIPELINE_DATA": str(site.data), "ML_PIPELINE_PROJECT": str(site.sql.folder), "MLFLOW_TRACKING_URI": site.tracking_uri,
    }  # fmt: skip
    return CliRunner().invoke(main, list(arguments), env=environment)


ONCE = "from ml_pipeline.cli.main import main; main()"
TWICE = "from ml_pipeline.cli.main import main; main(standalone_mode=False); main()"


def run(site: Site, *arguments: str, code: str = ONCE) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it: DuckDB prints tables past Python's streams."""
    environment = os.environ | {"ML_PIPELINE_DATA": str(site.data), "ML_PIPELINE_PROJECT": str(site.sql.folder)}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True, timeout=120, check=False)


def test_help_starts_quickly_and_names_the_commands() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert all(name in result.output for name in ("init", "run", "query", "doctor"))


def test_the_doctor_finds_a_scored_shop_in_order(scored_shop: Site) -> None:
    result = invoke(scored_shop, "doctor")
    assert result.exit_code == 0, result.output
    assert "NOT IN ORDER" not in result.output
    for words in ("Returned orders of a shop", scored_shop.sql.feature_set_version, f"{current_champion(scored_shop)}, verified",
                  str(scored_shop.data)):  # fmt: skip
        assert words in result.output


def test_the_doctor_finds_an_empty_shop_in_order_without_a_champion(shop_site: Site) -> None:
    result = invoke(shop_site, "doctor")
    assert (result.exit_code, "none yet" in result.output) == (0, True)


def test_the_doctor_names_a_damaged_champion(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    (site.models / str(current_champion(site)) / "model.txt").write_text("damaged")
    result = invoke(site, "doctor")
    assert result.exit_code == 1
    assert "champion     NOT IN ORDER" in result.output
    assert "model.txt was changed" in result.output


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        ("features/baseline.sql", "avg(", "random() + avg(", "depends on when or where it runs"),
        ("project.yml", "entity_key", "entity_keys", "entity_key"), ("project.yml", "cutoff: {", "cutoff: [", "project.yml"),
        ("sources.yml", "key: [order_id]", "key: [no_such]", "no_such"),
    ],
)  # fmt: skip
def test_the_doctor_names_what_is_wrong_with_the_use_case(
    shop_site: Site, path: str, old: str, new: str, words: str
) -> None:
    file: Path = shop_site.sql.folder / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    result = invoke(shop_site, "doctor")
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "use case     NOT IN ORDER" in result.output
    assert words in result.output


def test_a_question_is_answered_from_the_catalog(scored_shop_copy: Site) -> None:
    done = run(scored_shop_copy, "query", "select count(*) as orders, count(distinct score_date) as nights from scores")
    assert done.returncode == 0, done.stderr
    assert "320" in done.stdout
    assert "nights" in done.stdout


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select nonsense from scores", "nonsense"),
        ("create table mine as select 1", "read-only"),
        ("selec 1", "syntax error"),
    ],
)
def test_a_question_that_cannot_be_answered_is_one_line_and_no_traceback(
    scored_shop: Site, sql: str, words: str
) -> None:
    result = invoke(scored_shop, "query", sql)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "Error: " in result.output
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_question_before_there_is_a_catalog_says_what_to_do(shop_site: Site) -> None:
    result = invoke(shop_site, "query", "select 1")
    assert result.exit_code == 1
    assert "make run builds it" in result.output


def test_init_makes_both_stores_and_can_be_repeated(shop_site: Site, mlflow_template: Path) -> None:
    (shop_site.data / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    done = run(shop_site, "init", code=TWICE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"ready: {shop_site.data}\n") == 2
    assert (shop_site.data / "dagster_home" / "dagster.yaml").read_bytes() == (
        ROOT / "ml_pipeline" / "dagster.yaml"
    ).read_bytes()
    assert shop_site.registry.version_of("none") is None


@pytest.mark.parametrize("how", ["linked", "growing"])
def test_a_run_that_cannot_even_read_a_delivery_says_which_and_fails(
    shop_site: Site, mlflow_template: Path, how: str
) -> None:
    (shop_site.data / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    folder = shop_site.sql.folder / "deliveries" / "orders"
    if how == "linked":
        (folder / "2024-09.csv").symlink_to("/etc/hostname")
    else:
        sources = shop_site.sql.folder / "sources.yml"
        text = sources.read_text(encoding="utf-8")
        sources.write_text(text.replace("settle_seconds: 0", "settle_seconds: 86400", 1), encoding="utf-8")
    done = run(shop_site, "run")
    assert done.returncode == 1
    assert f"Error: land orders: {folder}" in done.stderr
    assert "Traceback" not in done.stderr
