"""Dagster's own daemon in a hurry, which can be told where to die: ``python -m ml_pipeline_tests.daemon.launcher run -w ...``.

Only clocks and deaths differ from ``dagster-daemon``: one sensor is evaluated without pause, and ``KILL_AT`` names the place
in Dagster's code, one of those at which Dagster's own tests crash it, where the daemon kills itself by SIGKILL.
"""

import os
import signal
from typing import Any

from dagster._daemon import sensor
from dagster._daemon.cli import create_dagster_daemon_cli

HURRIED = "retraining_requests"
_usual_is_under = sensor.is_under_min_interval


def _is_under(state: Any, remote_sensor: Any, *rest: Any) -> bool:
    return remote_sensor.name != HURRIED and _usual_is_under(state, remote_sensor, *rest)


def _die(_flags: Any, place: str) -> None:
    if place == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sensor.MIN_INTERVAL_LOOP_TIME = 0
    sensor.is_under_min_interval = _is_under
    sensor.check_for_debug_crash = _die
    create_dagster_daemon_cli()()
