"""The one door through which rows get into ``scores``: one commit, and never over what somebody else published meanwhile."""

from collections.abc import Mapping

import pyarrow as pa

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.io.locks import exclusive_lock
from ml_pipeline.io.table_store import NightInputs, PublishedNight, PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site


class OvertakenError(RuntimeError):
    """Another run has published one of the nights since this one began; nothing was published."""


def publish_scores(
    site: Site, rows: pa.Table, inputs: Mapping[Night, NightInputs], before: Mapping[Night, PublishedNight]
) -> PublishResult:
    """Make ``rows`` the whole content of the nights of ``inputs``, in one commit, or none if they are that already.

    ``before`` is what was published when the caller began: it is the fence. Checking it and committing happen under one
    lock, so a run that was taken for dead and wakes up late cannot overwrite what its successor has published. A night
    that another run has published from the same inputs is simply there: that is what two runs of one night should do.

    Raises:
        OvertakenError: a night was published from other inputs since.
    """
    with exclusive_lock(site.lock_file(SCORES)):
        now = site.tables.published(SCORES, sorted(inputs))
        overtaken = [
            night for night in sorted(inputs)
            if night in now and now[night] != before.get(night) and now[night].inputs_hash != inputs[night].inputs_hash
        ]  # fmt: skip
        if overtaken:
            raise OvertakenError(
                f"table {SCORES}: {len(overtaken)} nights were published by another run since this one began (first: "
                f"{overtaken[0]}). Nothing was published; score them again if they are still stale"
            )
        return site.tables.publish(SCORES, rows, inputs, key=site.project.entity_key)
