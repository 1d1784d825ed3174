"""One model that is tried in the shop: compiled, checked, refused."""

from pathlib import Path

import pytest

from ml_pipeline.contracts.source import load_sources
from ml_pipeline.io.sql_checks import refuse_unsafe, refuse_unsafe_together
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, render

SPINE, RETURNS = "{{ spine() }}", "{{ ref('stg_returns') }}"
GATED = "Read rows only through source('name', lookback_days=n), ref('model') or spine()."


def compiled(project: Path, text: str) -> SqlModel:
    """``text`` as model features/tried.sql."""
    path = project / "features" / "tried.sql"
    path.write_text(text, encoding="utf-8")
    return render(path, folder=project, sources=load_sources(project / "sources.yml"))


def check(project: Path, text: str) -> SqlModel:
    """``text`` as model features/tried.sql, after every check that a project makes of it."""
    sources = load_sources(project / "sources.yml")
    staging = [
        render(project / "staging" / f"{name}.sql", folder=project, sources=sources)
        for name in ("spine", "stg_returns")
    ]
    tried = compiled(project, text)
    refuse_unsafe(tried)
    refuse_unsafe_together([*staging, tried], sources=sources)
    return tried


def refusal(project: Path, text: str) -> SqlRefusedError:
    """The refusal of ``text``, whose message begins with the file and the line."""
    with pytest.raises(SqlRefusedError) as caught:
        check(project, text)
    assert str(caught.value).startswith(f"features/tried.sql, line {caught.value.line}: ")
    return caught.value


def message(project: Path, text: str) -> str:
    """What the refusal of ``text`` says after the file and the line."""
    return str(refusal(project, text)).partition(": ")[2]
