"""Hostile names as partition keys and in run config, asked of the real server and then of the jobs themselves."""

import json
from collections.abc import Sequence
from pathlib import Path

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.faults.bench import Bench, Installation
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.hostile_names import HOSTILE
from ml_pipeline_tests.processes import run_python
from ml_pipeline_tests.served import start

_LAUNCH = """mutation Launch($job: String!, $partition: String!, $config: RunConfigData!) { launchRun(executionParams: {
  selector: {repositoryLocationName: "ml_pipeline", repositoryName: "__repository__", jobName: $job}, mode: "default",
  runConfigData: $config, executionMetadata: {tags: [{key: "dagster/partition", value: $partition}]}}) { __typename } }"""
_BACKFILL = """mutation Backfill($partition: String!) { launchPartitionBackfill(backfillParams: {
  selector: {partitionSetName: "ingestion_partition_set", repositorySelector: {repositoryLocationName: "ml_pipeline", repositoryName: "__repository__"}},
  partitionNames: [$partition]}) { __typename } }"""
_NIGHT = "2024-05-13"
# What a daemon would do with what the server takes.
_RUNS = """
import json, sys
import dagster as dg
from ml_pipeline.definitions import definitions
started = []
loud = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
with dg.DagsterInstance.ephemeral() as instance:
    for job, partition, config in json.load(open(sys.argv[1])):
        try:
            done = definitions().resolve_job_def(job).execute_in_process(
                instance=instance, partition_key=partition, tags={"dagster/partition": partition}, run_config=config | loud,
                raise_on_error=False)
        except Exception as error:
            assert str(error)
            continue
        if done.get_asset_materialization_events():
            started.append([job, partition])
print(json.dumps(started))
"""


def send_hostile_names(bench: Bench) -> tuple[Outcome, ...]:
    """Each name as the partition of an ingestion, of a backfill, and as the version that a scoring is pinned to."""
    names = [name for name in HOSTILE if len(name) < 1000]
    names = names[::20] if bench.is_quick else names
    site = bench.copy("asked")
    before = _there(site)
    asked = [("ingestion", name, {}) for name in names]
    asked += [("scoring", _NIGHT, _pinned_to(name)) for name in names]
    taken, answers = _sent(site, asked, names)
    listed = site.data.parent / "taken.json"
    listed.write_text(json.dumps(taken), encoding="utf-8")
    environment = Installation.of(site).environment
    started = json.loads(run_python(_RUNS, str(listed), environment=environment).splitlines()[-1]) if taken else []
    listed.unlink()
    wrong = [f"{job} ran for {name!r}" for job, name in started]
    wrong += [f"changed or new: {path}" for path in sorted(_there(site) ^ before)]
    details = (
        f"the server took {len(taken)} of {len(asked)} runs into its queue, each refused when run; it said {answers}"
    )
    trials = len(asked) + len(names)
    return (Outcome(33, "hostile keys and versions through GraphQL and the jobs", trials, tuple(wrong), details[:400]),)


def _pinned_to(name: str) -> dict[str, object]:
    return {"ops": {"scores": {"config": {"policy": "pinned", "version": name}}}}


def _sent(
    site: Site, asked: Sequence[tuple[str, str, dict[str, object]]], names: Sequence[str]
) -> tuple[list[object], str]:
    """What the server took, and what it answered, counted. Without a daemon nothing that it takes is run."""
    server = start(site.sql.folder, site.data, "--no-daemon")
    taken: list[object] = []
    answers: dict[str, int] = {}
    try:
        for job, partition, config in asked:
            told = _answer(server.ask_graphql(_LAUNCH, job=job, partition=partition, config=json.dumps(config)))
            answers[told] = answers.get(told, 0) + 1
            taken += [[job, partition, config]] if told == "LaunchRunSuccess" else []
        for name in names:
            told = _answer(server.ask_graphql(_BACKFILL, partition=name))
            answers[told] = answers.get(told, 0) + 1
    finally:
        server.process.terminate()
        server.process.wait(timeout=60)
    return taken, ", ".join(f"{count} {name}" for name, count in sorted(answers.items()))


def _answer(answer: dict) -> str:
    if answer.get("errors"):
        return "error"
    (told,) = answer["data"].values()
    return str(told["__typename"])


def _there(site: Site) -> set[tuple[Path, int]]:
    """Everything in and beside the data root, and where the names point; not what the server writes for itself, nor the
    alerts: that a model is not there whose name could be one is worth one.
    """
    own = {"dagster_home", "locks", "server.log", "mlflow.db"}
    inside = {
        path
        for path in site.data.rglob("*")
        if path.relative_to(site.data).parts[0] not in own and path.name != "index.sqlite"
    }
    beside = {path for path in site.data.parent.rglob("*") if not path.is_relative_to(site.data)}
    inside = {path for path in inside if "alerts" not in path.parts}
    far = {*Path("/tmp").glob("pwned*"), *Path("/var").glob("pwned*")}
    return {(path, path.stat().st_size) for path in inside | beside | far if path.is_file()}
