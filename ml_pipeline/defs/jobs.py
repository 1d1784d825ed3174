"""Jobs. Every one has a time limit and runs in one process; retries belong to the steps, not to the run."""

from typing import Any

import dagster as dg

from ml_pipeline.defs.project import NIGHTS

# Dagster exports the function that makes such a job, but not the type of what it returns.
AssetJob = Any

_SOURCES = dg.AssetSelection.groups("ingestion")
_BUILDING = dg.AssetSelection.groups("features")
# Asked for by a person, never by a retraining.
_ON_DEMAND = dg.AssetSelection.assets("tuned_parameters", "recalibrated_model")
_WATCHING = dg.AssetSelection.groups("monitoring")
_JUDGING = dg.AssetSelection.assets(
    *(dg.AssetKey(["monitoring", name]) for name in ("performance", "calibration", "estimates"))
)


def _job(name: str, selection: dg.AssetSelection, description: str, *, max_runtime_minutes: int) -> AssetJob:
    # A run that was ended for its time must not be started again by the run retries.
    tags = {"dagster/max_runtime": str(max_runtime_minutes * 60), "dagster/max_retries": "0"}
    return dg.define_asset_job(
        name, selection, description=description, partitions_def=NIGHTS, executor_def=dg.in_process_executor, tags=tags
    )


nightly_scoring = _job(
    "nightly_scoring", _SOURCES | _BUILDING | dg.AssetSelection.assets("scores", "shadow_scores") | _WATCHING,
    "One night, whole: land, build, score, judge what has matured, watch, decide.", max_runtime_minutes=30,
)  # fmt: skip
ingestion = _job("ingestion", _SOURCES, "Land every source.", max_runtime_minutes=60)
feature_building = _job("feature_building", _BUILDING, "Build features and labels.", max_runtime_minutes=60)
retraining = _job(
    "retraining", dg.AssetSelection.groups("training") - _ON_DEMAND, "Train as of the night and let the gate judge.",
    max_runtime_minutes=60,
)  # fmt: skip
tuning = _job(
    "tuning", dg.AssetSelection.assets("tuned_parameters"), "Search parameters as of the night, within the project's budget.",
    max_runtime_minutes=120,
)  # fmt: skip
recalibration = _job(
    "recalibration", dg.AssetSelection.assets("recalibrated_model"),
    "Give the champion's trees a newer calibrator and let the gate judge.", max_runtime_minutes=30,
)  # fmt: skip
scoring = _job("scoring", dg.AssetSelection.assets("scores"), "Score nights.", max_runtime_minutes=60)
judging = _job(
    "judging", _JUDGING, "Judge matured nights.", max_runtime_minutes=60,
)  # fmt: skip
watching = _job(
    "watching", _WATCHING - _JUDGING, "Measure drift, decide on retraining, report late data.", max_runtime_minutes=60,
)  # fmt: skip
backtest = _job(
    "backtest", dg.AssetSelection.groups("backtesting"),
    "Replay the project's months, a model each, and judge them beside simple models.", max_runtime_minutes=120,
)  # fmt: skip
replay = _job(
    "replay",
    dg.AssetSelection.groups("replaying"),
    "Operate the project's nights under several policies, with and without incidents, and compare them.",
    max_runtime_minutes=120,
)
