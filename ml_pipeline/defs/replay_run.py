"""What ``make replay`` does: builds what the project's replay needs, operates the nights through Dagster, prints the table."""

from collections.abc import Callable, Sequence
from functools import partial

import dagster as dg

from ml_pipeline.contracts.replay import ReplayContract
from ml_pipeline.defs.default_run import Stage, landing_stages, run_whole_stages
from ml_pipeline.domain.replay_policies import POLICIES, ReplayPolicy
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.build import stale_features, stale_labels
from ml_pipeline.operations.run_replay import REPLAY, require_span, stale_replay
from ml_pipeline.operations.site import Site


def replay_stages(
    site: Site, span: ReplayContract, policies: Sequence[ReplayPolicy], *, with_incidents: bool
) -> list[Stage]:  # fmt: skip
    """Land, build and replay, in order."""
    first = site.project.first_night
    known_by = nights_back(span.last, -site.project.label.horizon_nights)
    asked = {"policies": [policy.name for policy in policies], "incidents": with_incidents}
    return [
        *landing_stages(site, known_by),
        Stage("build features", "feature_building", ("features",), partial(stale_features, site, nights_between(first, span.last))),
        Stage("build labels", "feature_building", ("labels",), partial(stale_labels, site, nights_between(first, known_by))),
        Stage("replay", "replay", (REPLAY,), partial(stale_replay, site, policies, with_incidents=with_incidents),
              {"ops": {REPLAY.replace("/", "__"): {"config": asked}}}),
    ]  # fmt: skip


def run_replay_stages(
    site: Site, instance: dg.DagsterInstance, say: Callable[[str], None], policies: Sequence[ReplayPolicy] = POLICIES,
    *, with_incidents: bool = True,
) -> int:  # fmt: skip
    """Run what is stale; returns the number of Dagster runs.

    Raises:
        ValueError: the project has no replay. StageFailedError: a run failed; later stages were not started.
    """
    chain = replay_stages(site, require_span(site), policies, with_incidents=with_incidents)
    return run_whole_stages(chain, instance, say)
