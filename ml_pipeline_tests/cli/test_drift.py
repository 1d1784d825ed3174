from datetime import date

from click.testing import CliRunner

from ml_pipeline.cli.drift import drift_report
from ml_pipeline.operations.drift_reports import report_path
from ml_pipeline.operations.site import Site


def test_a_report_is_asked_for_by_night(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, date(2024, 5, 7)
    done = CliRunner().invoke(drift_report, ["--night", str(night)], obj=lambda: site)
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{report_path(site, night)}: ")
    assert "of 8 features agree with our own index" in done.output
    assert report_path(site, night).exists()


def test_a_night_without_a_champion_is_refused_in_words(scored_shop: Site) -> None:
    done = CliRunner().invoke(drift_report, ["--night", "2024-05-04"], obj=lambda: scored_shop)
    assert done.exit_code == 1
    assert "no model was champion on night 2024-05-04" in done.output
