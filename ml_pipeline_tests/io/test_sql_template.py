from pathlib import Path

import pytest

from ml_pipeline.contracts.source import load_sources
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError, render, source_relation


def model(project: Path, text: str) -> SqlModel:
    path = project / "features" / "tried.sql"
    path.write_text(text, encoding="utf-8")
    return render(path, folder=project, sources=load_sources(project / "sources.yml"))


def refusal(project: Path, text: str) -> SqlRefusedError:
    with pytest.raises(SqlRefusedError) as caught:
        model(project, text)
    assert str(caught.value).startswith(f"features/tried.sql, line {caught.value.line}: ")
    return caught.value


def test_the_three_functions_become_names_of_gated_relations(shop_project: Path) -> None:
    found = model(
        shop_project,
        "select * from {{ spine() }}, {{ source('returns', lookback_days=7) }}, {{ source('products') }}, {{ ref('stg_returns') }}",
    )
    assert found.sql == "select * from spine, source__returns__7_days, source__products, stg_returns"
    assert found.sources == (("products", None), ("returns", 7))
    assert found.refs == ("spine", "stg_returns")
    assert found.relations == {"spine", "stg_returns", "source__products", "source__returns__7_days"}


def test_a_model_is_named_by_its_file_and_keeps_its_lines(shop_project: Path) -> None:
    found = model(shop_project, "-- first\nselect *\n\nfrom {{ spine() }}")
    assert (found.name, found.folder, found.path) == ("tried", "features", "features/tried.sql")
    assert found.sql.splitlines()[3] == "from spine"


def test_a_reference_is_read_whole_whatever_lookback_is_written(shop_project: Path) -> None:
    found = model(shop_project, "select * from {{ source('products', lookback_days=7) }}")
    assert found.sources == (("products", None),)
    assert source_relation("products", None) == "source__products"


@pytest.mark.parametrize("written", ["", ", lookback_days=0", ", lookback_days=-7", ", lookback_days=401", ", lookback_days=7.0",
                                     ", lookback_days='7'", ", lookback_days=true", ", lookback_days=none"])  # fmt: skip
def test_a_missing_or_senseless_lookback_is_refused(shop_project: Path, written: str) -> None:
    assert str(refusal(shop_project, f"select * from {{{{ source('returns'{written}) }}}}")) == (
        "features/tried.sql, line 1: source('returns') has no lookback. "
        "Write source('returns', lookback_days=n) with 1 to 400 days, so that a night has a fixed cost."
    )


def test_an_unknown_source_is_refused_with_the_ones_that_exist(shop_project: Path) -> None:
    message = str(refusal(shop_project, "select *\nfrom {{ source('refunds', lookback_days=7) }}"))
    assert message == (
        "features/tried.sql, line 2: source('refunds') is not declared. Declared in sources.yml are ['orders', 'products', 'returns']."
    )


@pytest.mark.parametrize("call", ["source('refunds', lookback_days=7)", "source('returns')"])
def test_the_refusal_of_a_source_points_at_its_line(shop_project: Path, call: str) -> None:
    assert refusal(shop_project, f"-- why\nselect *\nfrom {{{{ {call} }}}}").line == 3


ONLY = "Only source('name', lookback_days=n), ref('model') and spine() may stand between the braces."


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("now()", "now() is unknown here"), ("range(3)", "range() is unknown here"), ("cycler(1)", "cycler() is unknown here"),
        ("config(materialized='table')", "config() is unknown here"), ("var('night')", "var() is unknown here"),
        ("env_var('HOME')", "env_var() is unknown here"), ("is_incremental()", "is_incremental() is unknown here"),
        ("this", "Jinja's name is not allowed"), ("spine().__class__", "Jinja's getattr is not allowed"),
        ("''.__class__.__mro__", "Jinja's getattr is not allowed"), ("spine.__globals__", "Jinja's getattr is not allowed"),
        ("source.__self__", "Jinja's getattr is not allowed"), ("spine.__call__()", "this call is not allowed"),
        ("spine()()", "this call is not allowed"), ("spine(*[])", "spine() is unknown here"),
        ("source('returns', **{})", "source() is unknown here"),
        ("[7, 28] | random", "Jinja's filter is not allowed"), ("'x' | upper", "Jinja's filter is not allowed"),
        ("1 + 1", "Jinja's add is not allowed"), ("'spine'", "Jinja's const is not allowed"),
        ("source(['x'])", "source() takes plain values only"), ("ref('a' ~ 'b')", "ref() takes plain values only"),
        ("source('returns', lookback_days=[7, 28] | first)", "source() takes plain values only"),
        ("ref(3)", "ref(3) names no model"),
        ("source()", "source() is called with other arguments than it has (missing a required argument: 'name')"),
        ("ref()", "ref() is called with other arguments than it has (missing a required argument: 'name')"),
        ("spine('x')", "spine() is called with other arguments than it has (too many positional arguments)"),
        ("source('returns', days=7)",
         "source() is called with other arguments than it has (got an unexpected keyword argument 'days')"),
        ("1 +", "unexpected 'end of print statement'"),
    ],
)  # fmt: skip
def test_nothing_else_is_known_between_the_braces(shop_project: Path, written: str, reason: str) -> None:
    message = str(refusal(shop_project, f"select 1\nfrom {{{{ {written} }}}}"))
    assert message == f"features/tried.sql, line 2: {reason}. {ONLY}"


@pytest.mark.parametrize(
    ("written", "kind"),
    [("{% set days = 7 %}1", "assign"), ("{% if true %}1{% endif %}", "if"), ("{% for day in [1, 2] %}1{% endfor %}", "for"),
     ("{% include 'other.sql' %}", "include"), ("{% macro x() %}1{% endmacro %}1", "macro")],
)  # fmt: skip
def test_statements_are_refused(shop_project: Path, written: str, kind: str) -> None:
    text = f"select\n{written}\nfrom {{{{ spine() }}}}"
    assert str(refusal(shop_project, text)) == f"features/tried.sql, line 2: Jinja's {kind} is not allowed. {ONLY}"


def test_comments_and_stripped_lines_do_not_move_the_lines(shop_project: Path) -> None:
    found = model(shop_project, "{# two\nlines #}select *\nfrom\n\n{{- spine() }}\nwhere true")
    assert [line.strip() for line in found.sql.splitlines()] == ["", "select *", "from", "", "spine", "where true"]


def test_broken_braces_are_refused_with_their_line(shop_project: Path) -> None:
    assert refusal(shop_project, "select 1\nfrom {{ spine( }}").line == 2
    assert refusal(shop_project, "select 1\n\nfrom {{ nothing }}").line == 3
