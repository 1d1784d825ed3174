"""Lets Great Expectations judge nights by the same bounds, compares the verdicts, and writes the Data Docs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from ml_pipeline.contracts.expectations import Judgement
from ml_pipeline.io.data_docs import write_data_docs
from ml_pipeline.io.expectation_suites import SuiteVerdict, validate
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import Night, nights_back
from ml_pipeline.operations.expect import EXPECTATIONS, Judged, JudgedNights
from ml_pipeline.operations.promote import champions_of
from ml_pipeline.operations.site import Site

_MOST_NIGHTS = 2
_MET = "met"


@dataclass(frozen=True)
class DataDocs:
    """The pages of one night, and where the two judges differ or one could not judge, in words."""

    night: Night
    index: Path
    disagreements: tuple[str, ...]


def docs_path(site: Site, night: Night) -> Path:
    """Where the Data Docs of a night begin, if they were due."""
    return site.reports / "data_docs" / str(night) / "index.html"


def write_due_docs(site: Site, outcome: JudgedNights) -> list[DataDocs]:
    """Data Docs of the newest of the judged nights that have them due, two at most; those that stand are left alone.

    Due are the nights of one weekday, as Evidently's report is, and those whose verdict is not that of the night before:
    importing the library takes longer than the rest of the night, and our own numbers judge every night.
    """
    due = [night for night in sorted(outcome.by_night) if _is_due(site, night, outcome.by_night)][-_MOST_NIGHTS:]
    changed = set(outcome.published.changed)
    return [
        write_docs(site, night, outcome.by_night[night])
        for night in due
        if night in changed or not docs_path(site, night).exists()
    ]


def write_docs(site: Site, night: Night, judged: Sequence[Judged]) -> DataDocs:
    """Judge ``night`` by Great Expectations too, and write its Data Docs; the same night again replaces its own pages."""
    pages: dict[str, list[tuple[Judgement, SuiteVerdict | None]]] = {}
    disagreements: list[str] = []
    for each in judged:
        asked = _asked(site, night, each)
        columns = sorted({judgement.bound.column for judgement in asked if judgement.bound.column is not None})
        rows = site.tables.read(each.asset.table, [night], columns)
        verdicts = validate(each.asset.name, rows, [judgement.bound for judgement in asked]) if asked else []
        by_judgement = {id(judgement): verdict for judgement, verdict in zip(asked, verdicts, strict=True)}
        pages[each.asset.name] = [(judgement, by_judgement.get(id(judgement))) for judgement in each.judgements]
        disagreements += [
            f"night {night}, {each.asset.name}: {problem}"
            for judgement, verdict in zip(asked, verdicts, strict=True)
            if (problem := _disagreement(judgement, verdict))
        ]
    return DataDocs(night, write_data_docs(docs_path(site, night).parent, str(night), pages), tuple(disagreements))


def _disagreement(judgement: Judgement, verdict: SuiteVerdict) -> str:
    if verdict.error:
        return f"Great Expectations could not judge {judgement.bound.name}: {verdict.error}"
    if verdict.is_met != judgement.is_met:
        return f"Great Expectations found {verdict.observed} and says otherwise of {judgement.in_words}"
    return ""


def _asked(site: Site, night: Night, judged: Judged) -> list[Judgement]:
    """What Great Expectations is asked: all of it, but of features the leading ones and those that are not met."""
    known = [each for each in judged.judgements if each.observed is not None]
    if judged.asset.name != "features":
        return known
    (version,) = champions_of(site, [night])
    gains: dict[str, float] = read_bundle(site.models, version).manifest["gain_by_feature"]
    leading = sorted(gains, key=lambda name: (-gains[name], name))[: site.project.monitoring.report_features]
    wanted = {*leading, None, *(each.bound.column for each in judged.unmet)}
    return [each for each in known if each.bound.column in wanted]


def _is_due(site: Site, night: Night, by_night: Mapping[Night, Sequence[Judged]]) -> bool:
    if night.weekday() == site.project.monitoring.report_weekday:
        return True
    before = nights_back(night, 1)
    earlier = _verdict(by_night[before]) if before in by_night else _published_verdict(site, before)
    return _verdict(by_night[night]) != earlier


def _verdict(judged: Sequence[Judged]) -> str:
    return min((each.bound.severity for one in judged for each in one.unmet), default=_MET)


def _published_verdict(site: Site, night: Night) -> str:
    """The verdict on a night that was judged in another run; one that never was counts as met."""
    if night < site.project.first_night or not site.tables.exists(EXPECTATIONS):
        return _MET
    rows = site.tables.read(EXPECTATIONS, [night], ["severity", "is_met"])
    return min(rows.filter(pc.invert(rows["is_met"])).column("severity").to_pylist(), default=_MET)
