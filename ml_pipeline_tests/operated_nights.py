"""Operates nights as a daemon would: the nightly job of each, then the sensor, then the run that it asks for.

    python -m ml_pipeline_tests.operated_nights 2024-05-05 2024-05-18

The use case, the data root and the Dagster home are those of the environment.
"""

import sys
from datetime import date

import dagster as dg

from ml_pipeline.defs.instance import open_instance
from ml_pipeline.defs.loading import code_location
from ml_pipeline.defs.project import settings
from ml_pipeline.defs.resources import site_resource
from ml_pipeline.defs.sensors import retraining_requests
from ml_pipeline.nights import nights_between


def operate(first: date, last: date) -> None:
    """One night after the other; a run that fails ends it."""
    definitions = code_location()
    with open_instance(settings().dagster_home) as instance:
        for night in nights_between(first, last):
            run(definitions, instance, "nightly_scoring", str(night), {})
            with dg.build_sensor_context(instance=instance, resources={"site": site_resource()}) as context:
                asked = retraining_requests(context)
            if isinstance(asked, dg.RunRequest):
                assert asked.job_name is not None
                run(definitions, instance, asked.job_name, str(asked.partition_key), dict(asked.tags))


def run(definitions: dg.Definitions, instance: dg.DagsterInstance, job: str, night: str, tags: dict[str, str]) -> None:
    """One run in this process."""
    done = definitions.resolve_job_def(job).execute_in_process(instance=instance, partition_key=night, tags=tags)
    assert done.success, (job, night)


if __name__ == "__main__":
    operate(*map(date.fromisoformat, sys.argv[1:]))
