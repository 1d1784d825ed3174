"""What stands in ``scores`` now: who answered each night, under which policy, and what a person restored by hand."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ml_pipeline.contracts.serving import SCORES, Served, ServingPolicy
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site

RESTORATIONS = "restorations"


class StandingScores:
    """The published nights among ``nights``, as of one moment. Rows are read when they are first asked for."""

    def __init__(self, site: Site, nights: Sequence[Night]) -> None:
        self._site = site
        self.published: Mapping[Night, PublishedNight] = site.tables.published(SCORES, sorted(set(nights)))

    @cached_property
    def served(self) -> dict[Night, Served]:
        """Who answered each published night that has rows."""
        if not self.published:
            return {}
        columns = ["served_by", "model_version", "backfill_policy"]
        rows = self._site.tables.read(SCORES, sorted(self.published), columns)
        distinct = rows.group_by([SCORE_DATE, *columns], use_threads=False).aggregate([]).to_pylist()
        return {
            row[SCORE_DATE]: Served(row["served_by"], row["model_version"], row["backfill_policy"]) for row in distinct
        }

    @cached_property
    def restored(self) -> dict[Night, dict[str, Any]]:
        """The entry of the ledger for each night whose content is still the one that was restored last."""
        newest: dict[Night, dict[str, Any]] = {}
        for entry in self._site.ledger(RESTORATIONS).entries():
            newest |= dict.fromkeys(map(Night.fromisoformat, entry["content"]), entry)
        return {
            night: entry for night, entry in newest.items()
            if night in self.published and self.published[night].content_hash == entry["content"][str(night)]
        }  # fmt: skip

    def settled(self, night: Night, policy: ServingPolicy) -> str | None:
        """Why a run under ``policy`` leaves a published night alone unless it is asked to replace it; None if it does not.

        What a person asked for stands until a person asks for something else: a nightly run does not undo a pinned
        backfill or a restored revision, and a ``current`` run does not rewrite what was said at the time.
        """
        if night not in self.published:
            return None
        if night in self.restored:
            entry = self.restored[night]
            return f"restored to revision {entry['revision']}: {entry['reason']}"
        served = self.served.get(night)
        if served is not None and served.policy != str(policy):
            return f"published under policy {served.policy}, this run has {policy}"
        return None
