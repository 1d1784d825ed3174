"""Eight processes that write to both SQLite stores at once: every run is there and no database was locked."""

import json
import time

from ml_pipeline.defs.instance import open_instance
from ml_pipeline_tests.faults.bench import Bench, Installation
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.processes import release, start_python

_PROCESSES, _EVENTS = 8, 10
_WRITER = """
import sys
from ml_pipeline_tests.faults.pressure import write_runs
write_runs(sys.argv[1], sys.argv[2], int(sys.argv[3]))
"""


def write_runs(home: str, tracking_uri: str, runs: int) -> None:
    """One process: a Dagster run with its materialisations, then an MLflow run with its numbers, over and over."""
    import dagster as dg
    import mlflow

    @dg.op
    def many(context: dg.OpExecutionContext) -> None:
        for number in range(_EVENTS):
            context.log_event(dg.AssetMaterialization(f"pressed_{number}"))

    @dg.job(executor_def=dg.in_process_executor)
    def pressed() -> None:
        many()

    client = mlflow.MlflowClient(tracking_uri=tracking_uri)
    print("ready", flush=True)
    input()
    seconds = []
    with dg.DagsterInstance.from_config(home) as instance:
        for number in range(runs):
            began = time.monotonic()
            pressed.execute_in_process(instance=instance)
            run = client.create_run("0")
            client.log_param(run.info.run_id, "number", number)
            for step in range(_EVENTS):
                client.log_metric(run.info.run_id, "log_loss", 0.5, step=step)
            client.set_terminated(run.info.run_id)
            seconds.append(time.monotonic() - began)
    print(json.dumps(seconds), flush=True)


def press_both_stores(bench: Bench) -> tuple[Outcome, ...]:
    """Count what the stores hold afterwards, not what the writers believe."""
    import dagster as dg
    import mlflow

    processes, runs = bench.trials(full=_PROCESSES, quick=2), bench.trials(full=20, quick=2)
    site = bench.copy("pressed")
    installation = Installation.of(site)
    installation.call("init")
    home = str(site.data / "dagster_home")
    writers = [
        start_python(_WRITER, home, site.tracking_uri, str(runs), environment=installation.environment)
        for _ in range(processes)
    ]
    release(writers)
    wrong, seconds = [], []
    for writer in writers:
        out, error = writer.communicate(timeout=1800)
        wrong += [f"a writer died: {error.strip()[-300:]}"] if writer.returncode else []
        wrong += ["a database was locked"] * error.count("database is locked")
        seconds += json.loads(out.strip().rpartition("\n")[2]) if not writer.returncode else []
    with open_instance(site.data / "dagster_home") as instance:
        done = instance.get_run_records(dg.RunsFilter(job_name="pressed", statuses=[dg.DagsterRunStatus.SUCCESS]))
        events = instance.get_latest_materialization_events(
            [dg.AssetKey(f"pressed_{number}") for number in range(_EVENTS)]
        )
    written = mlflow.MlflowClient(tracking_uri=site.tracking_uri).search_runs(
        ["0"], "status = 'FINISHED'", max_results=10_000
    )
    wrong += [f"Dagster holds {len(done)} runs"] if len(done) != processes * runs else []
    wrong += ["a materialisation is missing"] if not all(events.values()) else []
    wrong += [f"MLflow holds {len(written)} runs"] if len(written) != processes * runs else []
    slow = sorted(seconds)[int(0.95 * (len(seconds) - 1))] if seconds else 0.0
    details = f"95 of 100 pairs of runs took at most {slow:.1f} s"
    return (
        Outcome(
            12,
            "runs of processes that write to both SQLite stores at once",
            2 * processes * runs,
            tuple(wrong),
            details,
        ),
    )
