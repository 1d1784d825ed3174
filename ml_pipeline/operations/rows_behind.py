"""The landed rows behind a feature of one row: of each source that it is made from, what the night could know."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ml_pipeline.io.gated_rows import VisibleRows, visible_rows
from ml_pipeline.io.gated_runner import GatedRunner
from ml_pipeline.io.sql_lineage import Lineage, column_lineage
from ml_pipeline.nights import Night


class RowsBehind:
    """Looks through the gate, at the versions that ``runner`` was given, for the row of ``night`` that ``key`` names.

    Which columns rows are held against comes from the lineage: those that make the feature's value or choose its rows and
    that the row itself has, by the same name, as a name or a code. Times and measures are left out: a model may turn them
    into an hour or a distance before it compares. So what is shown may be more than the feature counts.
    """

    def __init__(self, runner: GatedRunner, night: Night, key: Mapping[str, Any], *, most_rows: int) -> None:
        self._runner, self._night, self._key, self._most_rows = runner, night, key, most_rows
        self._known: dict[tuple[str, int | None, tuple[str, ...]], VisibleRows] = {}

    def of(self, model: str, feature: str) -> tuple[VisibleRows, ...]:
        """The rows behind ``feature`` of ``model``: of the sources of its value, or else of those that choose its rows."""
        lineage = column_lineage(self._runner.project, model, feature)
        sources = self._runner.project.sources
        made_from = {each.source for each in lineage.columns} & set(sources)
        chosen_by = {each.source for each in lineage.filtered_by} & set(sources)
        return tuple(self._visible(source, lineage) for source in sorted(made_from or chosen_by))

    def _visible(self, source: str, lineage: Lineage) -> VisibleRows:
        reads = [each for each in (*lineage.columns, *lineage.filtered_by) if each.source == source]
        days = max((each.lookback_days or 0 for each in reads), default=0) or None
        # What is counted there may be the rows beside this one: only the row itself can be pointed at.
        wanted = dict(self._key)
        if source not in self._own_sources:
            wanted = {name: value for name, value in self._names.items() if name in {each.column for each in reads}}
        asked = (source, days, tuple(wanted))
        if asked not in self._known:
            self._known[asked] = visible_rows(
                self._runner, source, days, self._night, wanted=wanted, most=self._most_rows
            )  # fmt: skip
        return self._known[asked]

    @cached_property
    def _own_sources(self) -> dict[str, dict[str, Any]]:
        """The row's own record in each source that has its key and knew it by then, such as the plan; never the outcome."""
        project = self._runner.project
        lookbacks = project.lookbacks(project.feature_models)
        found = {
            name: visible_rows(self._runner, name, lookbacks[name], self._night, wanted=self._key, most=1).newest
            for name, source in project.sources.items()
            if set(source.key) == set(self._key) and lookbacks.get(name)
        }
        return {name: rows[0] for name, rows in found.items() if rows}

    @cached_property
    def _names(self) -> dict[str, Any]:
        """Names and codes of the row: texts, and numbers that are part of its key, but nothing personal."""
        names: dict[str, Any] = {}
        for source, record in self._own_sources.items():
            for column in self._runner.project.sources[source].columns:
                is_code = column.type == "integer" and column.name in self._key
                if (column.type == "string" or is_code) and not column.pii:
                    names.setdefault(column.name, record[column.name])
        return names
