"""What may be set from outside, by environment variables ``ML_PIPELINE_…``; read by ``defs/`` and ``cli.py`` only."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ml_pipeline.contracts.alerts import Channel, parse_channels
from ml_pipeline.ui.request_guard import HOST_PATTERN

# No package of the pipeline reports its use to anybody, also in a process that make did not start. They read these when
# they are imported, and settings are read before anything heavy is. MLflow takes "true", and not "1", for true.
os.environ |= {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true", "DAGSTER_DISABLE_TELEMETRY": "1"}
# Where the umask is open, as in some containers, databases and ledgers would be anybody's to write to.
os.umask(os.umask(0o022) | 0o022)

_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Attributes:
    data: the data root.
    project: folder of the use case.
    mlflow_tracking_uri: of an MLflow server; empty for the SQLite store below the data root.
    threads: of DuckDB and LightGBM; never changes a result.
    alert_channels: where alerts go, separated by spaces; ``contracts/alerts.py`` says how they are written. May hold secrets.
    nightly_delay_minutes: how long after the cutoff the schedule fires; more where deliveries come in later.
    sensor_seconds: how often the sensors look, at most.
    ui_allowed_hosts: names, separated by commas, under which an authenticating proxy on this machine offers the UI over TLS.
    """

    model_config = SettingsConfigDict(env_prefix="ML_PIPELINE_", frozen=True)

    data: Path = _ROOT / "data"
    project: Path = _ROOT / "dbt_like_sql" / "nyc_flights"
    mlflow_tracking_uri: str = Field(default="", validation_alias="MLFLOW_TRACKING_URI")
    threads: int = Field(default=2, ge=1, le=64)
    alert_channels: SecretStr = SecretStr("")
    nightly_delay_minutes: int = Field(default=5, ge=1, le=23 * 60)
    sensor_seconds: int = Field(default=60, ge=1, le=3600)
    ui_allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    @field_validator("ui_allowed_hosts", mode="before")
    @classmethod
    def _names(cls, given: object) -> object:
        names = [name.strip().lower() for name in given.split(",") if name.strip()] if isinstance(given, str) else given
        if isinstance(names, list | tuple) and (wrong := [name for name in names if not HOST_PATTERN.fullmatch(name)]):
            raise ValueError(f"{wrong[0]!r} is not a host name; write ml.example.org, or ml.example.org:8443")
        return names

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.data.resolve() / 'mlflow.db'}"

    @property
    def channels(self) -> tuple[Channel, ...]:
        # Read here and not by a validator: pydantic's errors repeat the text that they refuse.
        return parse_channels(self.alert_channels.get_secret_value())

    @property
    def dagster_home(self) -> Path:
        return self.data.resolve() / "dagster_home"
