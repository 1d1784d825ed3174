"""Data Docs: what was expected of a night and what was found, as pages that ask no network for anything.

Great Expectations' own pages load their styles and scripts from five servers, and put names into HTML as they are.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ml_pipeline.contracts.expectations import Judgement
from ml_pipeline.io.expectation_suites import SuiteVerdict
from ml_pipeline.io.files import sync_file

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #222 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums }}
.met {{ color: #1a7f37 }} .warning {{ color: #9a6700 }} .blocking, .error {{ color: #cf222e; font-weight: 600 }}
</style></head><body>
"""
_COLUMNS = ("", "expectation", "observed", "at least", "at most", "nights of history", "severity", "Great Expectations")

Judged = Sequence[tuple[Judgement, SuiteVerdict | None]]


def write_data_docs(folder: Path, night: str, judged: Mapping[str, Judged]) -> Path:
    """Write a page for each data asset and ``index.html`` to ``folder``, replacing what was there; returns the index."""
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.aside")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    pages = {f"{name}.html": _page(night, name, entries) for name, entries in judged.items()}
    for name, page in {**pages, "index.html": _index(night, judged)}.items():
        (aside / name).write_text(page, encoding="utf-8")
        sync_file(aside / name)
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)
    return folder / "index.html"


def _index(night: str, judged: Mapping[str, Judged]) -> str:
    rows = []
    for name, entries in judged.items():
        unmet = [judgement for judgement, _ in entries if not judgement.is_met]
        blocking = sum(each.bound.severity == "blocking" for each in unmet)
        second = sum(verdict is not None for _, verdict in entries)
        status = _status("blocking" if blocking else "warning" if unmet else "met")
        cells = [status, f'<a href="{escape(name)}.html">{escape(name)}</a>', str(len(entries)), str(blocking),
                 str(len(unmet) - blocking), str(second)]  # fmt: skip
        rows.append("".join(f"<td>{cell}</td>" for cell in cells))
    named = (
        "",
        "data asset",
        "expectations",
        "blocking, not met",
        "warnings, not met",
        "judged by Great Expectations too",
    )
    return _document(f"Data Docs of night {night}", named, rows)


def _page(night: str, name: str, entries: Judged) -> str:
    ordered = sorted(entries, key=lambda entry: (entry[0].is_met, entry[0].bound.severity))
    rows = [_row(judgement, verdict) for judgement, verdict in ordered]
    back = '<p><a href="index.html">All data assets</a></p>'
    return _document(f"{name}, night {night}", _COLUMNS, rows, back)


def _row(judgement: Judgement, verdict: SuiteVerdict | None) -> str:
    bound = judgement.bound
    status = _status("met" if judgement.is_met else bound.severity)
    said = (
        "not asked"
        if verdict is None
        else f"error: {verdict.error}"
        if verdict.error
        else ("met" if verdict.is_met else "not met")
    )
    numbers = [judgement.observed, bound.lower, bound.upper]
    shown = "".join(f'<td class="number">{"" if each is None else f"{each:.6g}"}</td>' for each in numbers)
    wrong = verdict is not None and (verdict.error is not None or verdict.is_met != judgement.is_met)
    history = bound.nights_of_history or "always"
    mark = "error" if wrong else ""
    return (
        f'<td>{status}</td><td>{escape(bound.name)}</td>{shown}<td class="number">{history}</td>'
        f'<td>{bound.severity}</td><td class="{mark}">{escape(said)}</td>'
    )


def _status(kind: str) -> str:
    return f'<span class="{kind}">{"NOT MET" if kind == "blocking" else kind}</span>'


def _document(title: str, columns: Sequence[str], rows: Sequence[str], before: str = "") -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "\n".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f"{_HEAD.format(title=escape(title))}<h1>{escape(title)}</h1>\n{before}\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></body></html>\n"
    )
