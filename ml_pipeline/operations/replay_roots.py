"""The data roots of a replay: one start for each scenario, forked once for each policy, made anew if what they are made from changes."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ml_pipeline.contracts.replay import IncidentContract, ReplayContract
from ml_pipeline.domain.replay_policies import ReplayPolicy
from ml_pipeline.io.code_version import code_version, package_versions
from ml_pipeline.io.connectors.disturbed import DisturbedConnector
from ml_pipeline.io.files import write_durably
from ml_pipeline.io.forked_root import fork_root, fork_tables
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import Night, nights_back, nights_between
from ml_pipeline.operations.build import LABELS, build_features, build_labels
from ml_pipeline.operations.late_arrivals import measure_late_arrivals
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.replay import first_champion, replay_nights
from ml_pipeline.operations.replay_landing import land_disturbed
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import require_built

Scenario = Literal["clean", "disturbed"]
_START = "start"


@dataclass(frozen=True)
class ReplayRoots:
    """Where the replay of ``site`` lies, and what it is made from."""

    site: Site
    span: ReplayContract

    @property
    def known_until(self) -> Night:
        """The night on which all but stragglers of the last night's outcomes are known."""
        return nights_back(self.span.last, -self.site.project.label.horizon_nights)

    def folder(self, scenario: Scenario, name: str) -> Path:
        return self.site.data / "replay" / scenario / name

    def open(self, scenario: Scenario, name: str) -> Site:
        """The site of one root; it sends nothing, and publishes its catalog once, in the end."""
        data = self.folder(scenario, name)
        incidents = self.span.incidents if scenario == "disturbed" else ()
        return replace(
            self.site, data=data, tables=TableStore(data), tracking_uri=f"sqlite:///{data / 'mlflow.db'}", channels=(),
            publishes_catalog=False, connector=DisturbedConnector(self.site.connector, self.site.calendar, incidents),
        )  # fmt: skip

    def finished(self, scenario: Scenario, name: str) -> dict[str, str] | None:
        """What the finished root notes of itself, None if it is not there, is half made, or is made from other inputs."""
        path = self._note(scenario, name)
        if not path.exists():
            return None
        note: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return note if note["inputs_hash"] == self._inputs_hash(scenario) else None

    def make_start(self, scenario: Scenario) -> Night:
        """Make the root that the policies of ``scenario`` share: what landed, features, labels, the first champion.

        Returns the first night that is scored.

        Raises:
            LookupError: the site lacks a night of features or labels. NoFirstChampionError: no model passed the gate.
        """
        note = self.finished(scenario, _START)
        if note is None:
            self._forget(scenario)
            first = self._start_clean() if scenario == "clean" else self._start_disturbed()
            note = self._finish(scenario, _START, first)
        return Night.fromisoformat(note["first_scored"])

    def run(self, scenario: Scenario, policy: ReplayPolicy) -> None:
        """Operate the nights under ``policy``; a root that is finished and made from the same inputs is left alone."""
        if self.finished(scenario, policy.name) is not None:
            return
        first = self.make_start(scenario)
        shutil.rmtree(self.folder(scenario, policy.name), ignore_errors=True)
        fork_root(self.folder(scenario, _START), self.folder(scenario, policy.name))
        here = self.open(scenario, policy.name)
        replay_nights(here, policy, first, self.span.last)
        publish_catalog(replace(here, publishes_catalog=True))
        self._finish(scenario, policy.name, first)

    def _start_clean(self) -> Night:
        site, here = self.site, self.open("clean", _START)
        nights = nights_between(self.span.first, self.span.last)
        require_built(site, features_table(site.sql), nights)
        require_built(site, LABELS, nights_between(self.span.first, self.known_until))
        fork_tables(site.data, here.data, [
            table for table in site.tables.tables()
            if table.split("/")[0] in {"raw", "quarantine"} or table in {LABELS, features_table(site.sql)}
        ])  # fmt: skip
        here.registry.prepare(here.lock_file("mlflow"))
        measure_late_arrivals(here, nights)
        return first_champion(here, self.span.first, self.span.last)

    def _start_disturbed(self) -> Night:
        first, here = self.make_start("clean"), self.open("disturbed", _START)
        _require_after(self.span.incidents, first)
        fork_root(self.folder("clean", _START), here.data)
        for incident in self.span.incidents:
            land_disturbed(here, incident)
        site_nights = nights_between(self.site.project.first_night, self.known_until)
        build_features(here, [night for night in site_nights if night <= self.span.last])
        build_labels(here, site_nights)
        measure_late_arrivals(here, nights_between(self.span.first, self.span.last))
        return first

    def _forget(self, scenario: Scenario) -> None:
        """A half made start, and every policy that was forked from an older one."""
        shutil.rmtree(self.folder(scenario, _START).parent, ignore_errors=True)

    def _finish(self, scenario: Scenario, name: str, first: Night) -> dict[str, str]:
        note = {"inputs_hash": self._inputs_hash(scenario), "first_scored": str(first)}
        write_durably(self._note(scenario, name), (json.dumps(note, sort_keys=True) + "\n").encode())
        return note

    def _note(self, scenario: Scenario, name: str) -> Path:
        """Beside the root, not in it: a fork of a finished root is not finished."""
        return self.folder(scenario, f"{name}.json")

    def _inputs_hash(self, scenario: Scenario) -> str:
        """A hash of all that a replay is made from: what landed and was built, declarations, and code."""
        site, until = self.site, self.known_until
        told: list[object] = [
            scenario, code_version(), package_versions(), site.sql.feature_set_version,
            site.project.model_dump(mode="json", exclude={"replay": {"clean_until": True}}),
        ]  # fmt: skip
        for table in [*(f"raw/{name}" for name in sorted(site.sql.sources)), features_table(site.sql), LABELS]:
            published = site.tables.published(table)
            told.append(
                [table, [(str(night), published[night].content_hash) for night in sorted(published) if night <= until]]
            )
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _require_after(incidents: Sequence[IncidentContract], first: Night) -> None:
    early = [incident.name for incident in incidents if incident.first < first]
    if early:
        raise ValueError(
            f"incidents {early} begin before {first}, the first night that is scored: nobody could notice them; move them "
            "in project.yml"
        )
