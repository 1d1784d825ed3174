import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_pipeline.contracts.sql_models import ModelContract
from ml_pipeline.io.model_test_checks import check_model_tests
from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.sql_template import SqlModel, SqlRefusedError

TEXT = """-- One row per order.
select
    score_date,
    order_id,
    share,
    tags
from stock
"""
MODEL = SqlModel("rates", "staging", "staging/rates.sql", TEXT, TEXT, (), ("stock",))
STOCK = dataclasses.replace(MODEL, name="stock", path="staging/stock.sql", sql="select order_id from source__stock")
EVERY = dataclasses.replace(MODEL, name="every", sql="select * from source__stock")
LABELS = dataclasses.replace(MODEL, name="labels", folder="labels", path="labels/labels.sql")
MODELS = {model.name: model for model in (MODEL, STOCK, EVERY, LABELS)}


def contract(*tests: dict[str, Any], computed_per: str = "night", **columns: list[Any]) -> ModelContract:
    declared = [{"name": name, "description": name, "tests": of} for name, of in columns.items()]
    entry = {"name": "rates", "description": "Rates.", "grain": "order", "tests": tests, "columns": declared}
    return ModelContract.model_validate(entry | {"computed_per": computed_per})


def refusal(tested: ModelContract, model: SqlModel = MODEL) -> str:
    with pytest.raises(SqlRefusedError) as caught:
        check_model_tests(model, tested, MODELS)
    return str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "share > 0", "rates.share > 0", "SHARE > 0 and not order_id = ''", "share between 0 and 1 or tags is null", "share > 0 -- why",
        "case when share > 0 then order_id is not null else true end", "list_contains(tags, 'a; drop table rates')",
        "len(list_filter(tags, tag -> tag = 'now()')) = 0", "order_id similar to 'O[0-9]+'", "share > -1\n  and share < 2",
        "order_id in ('random()', ')')", "score_date >= date '2013-01-01'",
    ],
)  # fmt: skip
def test_an_expression_over_one_row_is_allowed(expression: str) -> None:
    check_model_tests(MODEL, contract({"expression": expression}), MODELS)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("share >", "cannot be parsed ("),
        ("share > 0; drop table rates", "is not one expression"),
        ("share > 0) or (1 = 1", "cannot be parsed ("),
        ("1 = 1) union select 1 from stock where (1 = 1", "cannot be parsed ("),
        ("share /* why", "cannot be parsed ("),
        ("share as positive", "is not one expression"),
        ("(share, order_id)", "is not one expression"),
        ("select true", "is not one expression"),
        ("*", "is not one expression"),
        ("order_id in (select order_id from stock)", "reads a table"),
        ("exists (from gate.landed__returns)", "reads a table"),
        ("share > all (select 1)", "reads a table"),
        ("count(*) > 1", "looks at more than one row"),
        ("max(share) < 1", "looks at more than one row"),
        ("lag(share) over (order by order_id) < share", "looks at more than one row"),
        ("columns(*) is not null", "means columns without naming them"),
        ("share > $1", "has a parameter"),
        ("share > ?", "has a parameter"),
        ("1 = 1", "names no column"),
        ("colour = 'red'", "names colour, which rates does not have; it has ['order_id', 'score_date', 'share', 'tags']"),
        ("stock.order_id = order_id", "names stock.order_id, which rates does not have"),
        ("gate.nights.score_date = score_date", "names gate.nights.score_date, which rates does not have"),
        ("score_date <= current_date", "is unsafe: current_date() depends on when or where it runs. Use cutoff_at"),
        ("share > random()", "is unsafe: random() depends on when or where it runs"),
        ("order_id = getenv('HOME')", "is unsafe: getenv() depends on when or where it runs"),
        ("score_date < now()::date", "is unsafe: now() depends on when or where it runs"),
    ],
)  # fmt: skip
def test_any_other_expression_is_refused_with_its_text_and_the_reason(expression: str, reason: str) -> None:
    message = refusal(contract({"expression": expression}))
    assert message.startswith(f"staging/rates.sql, line 1: the test expression '{expression}' {reason}")
    assert message.endswith(". Write one boolean expression over the columns of one row in the .yml file of staging/.")


def test_a_column_that_a_landing_night_adds_can_be_tested() -> None:
    tested = contract(
        {"unique": ["known_on", "order_id"]}, {"expression": "known_on < cutoff_at"}, computed_per="landing"
    )
    check_model_tests(MODEL, tested, MODELS)
    assert "known_on is part of the test unique [known_on]" in refusal(contract({"unique": ["known_on"]}))


def test_columns_that_the_select_does_not_give_are_refused() -> None:
    assert refusal(contract({"unique": ["order_id", "colour"]})) == (
        "staging/rates.sql, line 1: colour is part of the test unique [order_id, colour] in the .yml file of staging/, but "
        "rates has no such column. It has ['order_id', 'score_date', 'share', 'tags']."
    )
    assert refusal(contract(share=[], colour=[])) == (
        "staging/rates.sql, line 1: colour is declared in the .yml file of staging/, but rates has no such column. "
        "It has ['order_id', 'score_date', 'share', 'tags']."
    )


def test_where_only_the_database_knows_the_columns_they_are_left_to_it() -> None:
    check_model_tests(
        EVERY, contract({"unique": ["colour"]}, {"expression": "colour = 'red'"}, size=["not_null"]), MODELS
    )


@pytest.mark.parametrize(
    ("related", "reason"),
    [
        ({"to": "shelf", "column": "order_id"},
         "names shelf, which is no model. Models are ['every', 'labels', 'rates', 'stock']."),
        ({"to": "stock", "column": "colour"}, "names column colour, which stock does not have. It has ['order_id']."),
        ({"to": "labels", "column": "order_id"}, "names labels, a label model. Relate it to a model of another folder."),
    ],
)  # fmt: skip
def test_a_relationship_to_what_is_not_there_is_refused(related: dict[str, str], reason: str) -> None:
    message = refusal(contract(order_id=[{"relationships": related}]))
    assert message == f"staging/rates.sql, line 4: the test relationships of order_id {reason}"


def test_relationships_to_what_is_there_are_allowed() -> None:
    related = [
        {"to": "stock", "column": "order_id"},
        {"to": "every", "column": "any"},
        {"to": "rates", "column": "share"},
    ]
    tests = [{"relationships": to} for to in related]
    check_model_tests(MODEL, contract(order_id=tests), MODELS)
    check_model_tests(LABELS, contract(order_id=[{"relationships": {"to": "labels", "column": "share"}}]), MODELS)


def loaded(folder: Path) -> SqlProject:
    project = load_sql_project(folder)
    for model in project.models.values():
        check_model_tests(model, project.contracts[model.name], project.models)
    return project


def test_the_tests_of_both_projects_can_run(shop_project: Path) -> None:
    flights = loaded(Path(__file__).parents[2] / "dbt_like_sql" / "nyc_flights")
    for project in (loaded(shop_project), flights):
        tested = [contract for contract in project.contracts.values() if contract.tests or contract.columns]
        assert len(tested) == len(project.contracts)


def test_a_test_can_change_no_value_so_it_does_not_change_the_version(shop_project: Path) -> None:
    before = loaded(shop_project).feature_set_version
    path = shop_project / "features" / "features.yml"
    text = path.read_text(encoding="utf-8")
    changed = text.replace("tests: [not_null]", "pii: true, tests: [not_null, {accepted_range: {minimum: 1}}]")
    changed = changed.replace("    columns:", '    tests: [{expression: "order_id is not null"}]\n    columns:')
    assert changed.count("order_id is not null") == 4 and "pii: true" in changed
    path.write_text(changed, encoding="utf-8")
    project = loaded(shop_project)
    assert any(feature.pii for feature in project.features)
    assert project.feature_set_version == before
    for name in ("features", "staging", "labels"):
        (yml,) = (shop_project / name).glob("*.yml")
        yml.write_text(without_tests(yml.read_text(encoding="utf-8")), encoding="utf-8")
    bare = loaded(shop_project)
    assert not any(feature.tests for feature in bare.features) and not any(one.tests for one in bare.contracts.values())
    assert bare.feature_set_version == before


def without_tests(text: str) -> str:
    """The YAML as it was before there were tests."""
    models = yaml.safe_load(text)["models"]
    for model in models:
        model.pop("tests", None)
        for column in model.get("columns", []):
            column.pop("tests", None)
            column.pop("pii", None)
    return str(yaml.safe_dump({"models": models}, sort_keys=False))
