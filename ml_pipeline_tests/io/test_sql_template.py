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
    message = str(refusal(shop_project, f"select * from {{{{ source('returns'{written}) }}}}"))
    assert "source('returns') has no lookback" in message
    assert "Write source('returns', lookback_days=n) with 1 to 400 days" in message


def test_an_unknown_source_is_refused_with_the_ones_that_exist(shop_project: Path) -> None:
    message = str(refusal(shop_project, "select * from {{ source('refunds', lookback_days=7) }}"))
    assert "source('refunds') is not declared" in message
    assert "['orders', 'products', 'returns']" in message


@pytest.mark.parametrize("call", ["source('refunds', lookback_days=7)", "source('returns')"])
def test_the_refusal_of_a_source_points_at_its_line(shop_project: Path, call: str) -> None:
    assert refusal(shop_project, f"-- why\nselect *\nfrom {{{{ {call} }}}}").line == 3


@pytest.mark.parametrize(
    "written",
    ["now()", "range(3)", "config(materialized='table')", "var('night')", "env_var('HOME')", "is_incremental()", "this",
     "spine().__class__", "''.__class__.__mro__", "spine.__globals__", "source.__self__", "cycler(1)", "1 +"],
)  # fmt: skip
def test_nothing_else_is_known_between_the_braces(shop_project: Path, written: str) -> None:
    message = str(refusal(shop_project, f"select 1\nfrom {{{{ {written} }}}}"))
    assert "nly source('name', lookback_days=n), ref('model') and spine() may stand between the braces" in message


@pytest.mark.parametrize(
    "written",
    ["{{ [7, 28] | random }}", "{{ 'x' | upper }}", "{{ 1 + 1 }}", "{% set days = 7 %}1", "{% if true %}1{% endif %}",
     "{% for day in [1, 2] %}1{% endfor %}", "{% include 'other.sql' %}", "{% macro x() %}1{% endmacro %}1"],
)  # fmt: skip
def test_filters_statements_and_sums_are_refused(shop_project: Path, written: str) -> None:
    message = str(refusal(shop_project, f"select {written}\nfrom {{{{ spine() }}}}"))
    assert "may stand between the braces" in message


@pytest.mark.parametrize(
    "written", ["source()", "ref()", "spine('x')", "source('returns', days=7)", "source(['x'])", "ref(3)"]
)
def test_a_function_called_in_another_way_is_refused(shop_project: Path, written: str) -> None:
    assert "tried.sql" in str(refusal(shop_project, f"select 1 from {{{{ {written} }}}}"))


def test_comments_and_stripped_lines_do_not_move_the_lines(shop_project: Path) -> None:
    found = model(shop_project, "{# two\nlines #}select *\nfrom\n\n{{- spine() }}\nwhere true")
    assert [line.strip() for line in found.sql.splitlines()] == ["", "select *", "from", "", "spine", "where true"]


def test_broken_braces_are_refused_with_their_line(shop_project: Path) -> None:
    assert refusal(shop_project, "select 1\nfrom {{ spine( }}").line == 2
    assert refusal(shop_project, "select 1\n\nfrom {{ nothing }}").line == 3
