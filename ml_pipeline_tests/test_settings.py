from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import ValidationError

from ml_pipeline.cli.main import main
from ml_pipeline.settings import Settings
from ml_pipeline_tests.processes import ROOT, run_python

NAMES = ("ML_PIPELINE_DATA", "ML_PIPELINE_PROJECT", "ML_PIPELINE_THREADS", "MLFLOW_TRACKING_URI")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "ML_PIPELINE_UI_ALLOWED_HOSTS"):
        monkeypatch.delenv(name, raising=False)


def test_without_any_variable_the_data_lie_beside_the_package() -> None:
    settings = Settings()
    assert (settings.data, settings.project) == (ROOT / "data", ROOT / "dbt_like_sql" / "nyc_flights")
    assert settings.tracking_uri == f"sqlite:///{ROOT / 'data' / 'mlflow.db'}"
    assert settings.dagster_home == ROOT / "data" / "dagster_home"


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in zip(
        NAMES, (str(tmp_path), str(tmp_path / "use_case"), "7", "http://127.0.0.1:5000"), strict=True
    ):
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert (settings.data, settings.project, settings.threads) == (tmp_path, tmp_path / "use_case", 7)
    assert settings.tracking_uri == "http://127.0.0.1:5000"


def test_a_relative_data_root_is_one_place_whatever_the_working_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ML_PIPELINE_DATA", "lake")
    assert Settings().tracking_uri == f"sqlite:///{(tmp_path / 'lake').resolve() / 'mlflow.db'}"
    assert Settings().dagster_home == (tmp_path / "lake").resolve() / "dagster_home"


@pytest.mark.parametrize("threads", ["0", "-1", "65", "many", ""])
def test_a_number_of_threads_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, threads: str) -> None:
    monkeypatch.setenv("ML_PIPELINE_THREADS", threads)
    with pytest.raises(ValidationError, match="threads"):
        Settings()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("NIGHTLY_DELAY_MINUTES", "0"),
        ("NIGHTLY_DELAY_MINUTES", "1441"),
        ("SENSOR_SECONDS", "0"),
        ("SENSOR_SECONDS", "soon"),
    ],
)
def test_a_pause_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, given: str) -> None:
    assert (Settings().nightly_delay_minutes, Settings().sensor_seconds) == (5, 60)
    monkeypatch.setenv(f"ML_PIPELINE_{name}", given)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().threads = 3  # type: ignore[misc]


def test_names_of_a_proxy_are_parted_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().ui_allowed_hosts == ()
    monkeypatch.setenv("ML_PIPELINE_UI_ALLOWED_HOSTS", " ML.example.org, ml.example.org:8443,")
    assert Settings().ui_allowed_hosts == ("ml.example.org", "ml.example.org:8443")


@pytest.mark.parametrize("hosts", ["*", "https://ml.example.org", "ml.example.org/", "a b", "ok.example.org,*"])
def test_a_name_that_is_no_host_is_refused(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("ML_PIPELINE_UI_ALLOWED_HOSTS", hosts)
    with pytest.raises(ValidationError, match="is not a host name"):
        Settings()


def test_whoever_reads_the_settings_reports_to_nobody() -> None:
    names = ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DAGSTER_DISABLE_TELEMETRY")
    code = f"import os\nfor name in {names}: os.environ.pop(name, None)\nimport ml_pipeline.settings\n"
    told = run_python(f"{code}print([os.environ[name] for name in {names}])")
    assert told == "['true', 'true', '1']"


def test_the_channels_of_alerts_are_read_and_their_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_PIPELINE_ALERT_CHANNELS", "slack+https://hooks.example.org/token log:")
    found = Settings()
    assert [channel.kind for channel in found.channels] == ["slack", "log"]
    assert "token" not in repr(found)


def test_what_is_no_channel_is_refused_at_the_command_line_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ML_PIPELINE_ALERT_CHANNELS", "https://hooks.example.org/token")
    monkeypatch.setenv("ML_PIPELINE_DATA", str(tmp_path))
    result = CliRunner().invoke(main, ["alerts", "list"])
    assert (result.exit_code, "token" in result.output) == (1, False)
    assert "ML_PIPELINE_ALERT_CHANNELS: alert channel number 1 must begin with one of log:" in result.output
