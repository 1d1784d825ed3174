"""A connector with something wrong: what another one reads, with the incidents of a replay in it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from ml_pipeline.contracts.replay import IncidentContract
from ml_pipeline.contracts.source import KNOWN_AT, SourceContract
from ml_pipeline.io.connectors.connector import Connector
from ml_pipeline.nights import KnownWindow, NightCalendar

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class DisturbedConnector:
    """Reads from ``inner`` and lets ``incidents`` happen to the rows that their nights would have landed."""

    inner: Connector
    calendar: NightCalendar
    incidents: tuple[IncidentContract, ...]

    def fingerprint(self, source: SourceContract) -> str:
        told = [each.model_dump_json(exclude={"title"}) for each in self._of(source)]
        whole = "|".join([self.inner.fingerprint(source), *told])
        return hashlib.sha256(whole.encode()).hexdigest() if told else self.inner.fingerprint(source)

    def read(self, source: SourceContract, window: KnownWindow) -> pa.Table:
        incidents = self._of(source)
        if not incidents:
            return self.inner.read(source, window)
        rows = self.inner.read(source, self._reaching(window, incidents))
        for incident in incidents:
            rows = self._disturbed(rows, incident)
        known = rows.column(KNOWN_AT)
        is_inside = pc.less_equal(known, pa.scalar(window.until, known.type))
        if window.after is not None:
            is_inside = pc.and_(is_inside, pc.greater(known, pa.scalar(window.after, known.type)))
        return rows.filter(is_inside)

    def _of(self, source: SourceContract) -> tuple[IncidentContract, ...]:
        return tuple(each for each in self.incidents if each.source == source.name)

    def _reaching(self, window: KnownWindow, incidents: Sequence[IncidentContract]) -> KnownWindow:
        """``window`` and what an incident has put off into it."""
        if window.after is None:
            return window
        firsts = [
            self._window(each).after for each in incidents
            if each.kind == "late" and self.calendar.cutoff(each.settled_on) > window.after
        ]  # fmt: skip
        return replace(window, after=min([window.after, *(first for first in firsts if first is not None)]))

    def _window(self, incident: IncidentContract) -> KnownWindow:
        return self.calendar.known_window(incident.first, incident.last)

    def _disturbed(self, rows: pa.Table, incident: IncidentContract) -> pa.Table:
        window, known = self._window(incident), rows.column(KNOWN_AT)
        is_hit = pc.less_equal(known, pa.scalar(window.until, known.type))
        if window.after is not None:
            is_hit = pc.and_(is_hit, pc.greater(known, pa.scalar(window.after, known.type)))
        if incident.kind == "missing":
            return rows.filter(pc.invert(is_hit))
        if incident.kind == "late":
            return _with(rows, KNOWN_AT, pc.if_else(is_hit, self._arrival(known, incident), known))
        name = str(incident.column)
        values = rows.column(name)
        other = pc.add(pc.multiply(values.cast(pa.float64()), incident.factor), incident.offset)
        if pa.types.is_integer(values.type):
            other = pc.round(other)
        return _with(rows, name, pc.if_else(is_hit, other.cast(values.type), values))

    def _arrival(self, known: pa.ChunkedArray, incident: IncidentContract) -> pa.ChunkedArray:
        if incident.delay_nights is None:
            return pa.scalar(self.calendar.cutoff(incident.last) + _INSTANT, known.type)
        return pc.add(known, pa.scalar(timedelta(days=incident.delay_nights), pa.duration("us")))


def _with(rows: pa.Table, name: str, values: pa.ChunkedArray) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), values)
