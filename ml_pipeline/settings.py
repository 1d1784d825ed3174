"""What may be set from outside, by environment variables ``ML_PIPELINE_…``; read by ``defs/`` and ``cli.py`` only."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

_ROOT = Path(__file__).resolve().parent.parent


class Settings(BaseSettings):
    """Attributes:
    data: the data root.
    project: folder of the use case.
    mlflow_tracking_uri: of an MLflow server; empty for the SQLite store below the data root.
    threads: of DuckDB and LightGBM; never changes a result.
    """

    model_config = SettingsConfigDict(env_prefix="ML_PIPELINE_", frozen=True)

    data: Path = _ROOT / "data"
    project: Path = _ROOT / "dbt_like_sql" / "nyc_flights"
    mlflow_tracking_uri: str = Field(default="", validation_alias="MLFLOW_TRACKING_URI")
    threads: int = Field(default=2, ge=1, le=64)

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_tracking_uri or f"sqlite:///{self.data.resolve() / 'mlflow.db'}"

    @property
    def dagster_home(self) -> Path:
        return self.data.resolve() / "dagster_home"
