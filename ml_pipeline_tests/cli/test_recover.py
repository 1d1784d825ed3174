from pathlib import Path

import pytest
from click.testing import CliRunner

from ml_pipeline.cli.main import main
from ml_pipeline.operations.site import Site


def test_it_names_what_it_removed_and_finds_nothing_the_second_time(
    shop_site: Site, mlflow_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "put back by the fixture")
    (shop_site.data / "mlflow.db").write_bytes(mlflow_template.read_bytes())
    left = shop_site.data / ".views.sql.4194303.aside"
    left.write_text("half")
    environment = {"ML_PIPELINE_DATA": str(shop_site.data), "ML_PIPELINE_PROJECT": str(shop_site.sql.folder)}
    first, second = (CliRunner().invoke(main, ["recover"], env=environment) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert f"removed {left.name}" in first.output
    assert "0 dead runs, 0 files written aside" in second.output
    assert not left.exists()
