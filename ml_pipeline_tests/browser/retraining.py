"""A night whose verdict asks for a retraining, seen through the UI with the real daemon behind it.

``python -m ml_pipeline_tests.browser.retraining 2013-11-22 http://127.0.0.1:3000 FOLDER`` materialises the night as a person
would, waits until the sensor has asked for the retraining and the run has succeeded, and leaves pictures in FOLDER. The project
must be one whose policy asks: ``policy: {least_cost_saving: 0.2}``, for example, asks for more than any model saves.
"""

import sys
from pathlib import Path

from ml_pipeline_tests.browser.screenshots import await_success, materialise, runs, take, ui_page


def main(night: str, ui: str, folder: str) -> None:
    pictures = Path(folder)
    with ui_page(ui) as page:
        materialise(page, night)
        before = {run["runId"] for run in runs(page) if run["jobName"] == "nightly_scoring"}
        run = await_success(page, before, {"dagster/sensor_name": "retraining_requests", "night": night})
        print(f"{run['tags']['evidence']}: run {run['runId']} trained {run['tags']['model_version']}")
        take(page, "retraining_run", f"/runs/{run['runId']}", "Success", pictures)
        take(page, "runs", f"/runs?q[0]=tag:night={night}", "retraining", pictures)
        take(page, "scores", f"/assets/scores?view=partitions&partition={night}", "model_version", pictures)


if __name__ == "__main__":
    main(*sys.argv[1:])
