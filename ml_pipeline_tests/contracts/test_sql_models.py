from pathlib import Path

import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.sql_models import FeatureContract, ModelContract, load_model_contracts
from ml_pipeline.contracts.sql_tests import AcceptedRange, Range, TrueExpression, UniqueTogether

OLD = """models:
  - {name: spine, description: Orders., grain: one row per order}
  - name: rates
    description: Rates.
    grain: one row per order
    columns:
      - {name: rate, window: 28 days, unit: share, description: Share.}
"""


def written(folder: Path, text: str) -> Path:
    (folder / "features.yml").write_text(text, encoding="utf-8")
    return folder


def refusal(folder: Path, text: str) -> list[str]:
    with pytest.raises(ValueError) as caught:
        load_model_contracts(written(folder, text))
    return str(caught.value).splitlines()


def test_yaml_from_before_there_were_tests_is_read_with_defaults(tmp_path: Path) -> None:
    contracts = load_model_contracts(written(tmp_path, OLD))
    assert list(contracts) == ["spine", "rates"]
    assert (contracts["rates"].tests, contracts["rates"].computed_per) == ((), "night")
    (rate,) = contracts["rates"].columns
    assert (rate.tests, rate.pii) == ((), False)


def test_a_folder_without_yaml_describes_no_model(tmp_path: Path) -> None:
    assert load_model_contracts(tmp_path) == {}


def test_tests_of_columns_and_models_are_read(tmp_path: Path) -> None:
    text = OLD.replace(
        "description: Share.}", "description: Share., pii: true, tests: [not_null, {accepted_range: {minimum: 0}}]}"
    )
    text = text.replace(
        "grain: one row per order}", "grain: one row per order, tests: [{unique: [order_id]}, {expression: a > b}]}"
    )
    contracts = load_model_contracts(written(tmp_path, text))
    (rate,) = contracts["rates"].columns
    assert rate.pii
    assert rate.tests == ("not_null", AcceptedRange(accepted_range=Range(minimum=0)))
    assert contracts["spine"].tests == (UniqueTogether(unique=("order_id",)), TrueExpression(expression="a > b"))


def test_a_contract_can_neither_be_changed_nor_hold_more_than_is_known() -> None:
    rate = FeatureContract(name="rate", description="Share.")
    with pytest.raises(ValidationError, match="frozen"):
        rate.tests = ("unique",)  # type: ignore[misc]
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        ModelContract.model_validate({"name": "a", "description": "a", "grain": "a", "data_tests": []})


def test_a_contract_survives_being_kept_as_json(shop_project: Path) -> None:
    contracts = load_model_contracts(shop_project / "features")
    assert contracts["planned_order"].columns[0].tests
    for contract in contracts.values():
        assert ModelContract.model_validate(contract.model_dump(mode="json")) == contract


def test_the_models_in_which_values_must_occur_are_known() -> None:
    tests = [{"relationships": {"to": to, "column": "id"}} for to in ("stock", "spine", "stock")]
    columns = [{"name": name, "description": name, "tests": tests} for name in ("a", "b")]
    contract = ModelContract.model_validate({"name": "a", "description": "a", "grain": "a", "columns": columns})
    assert contract.related_models == ("spine", "stock")


def test_mistakes_name_file_line_model_column_and_test(tmp_path: Path) -> None:
    lines = refusal(
        tmp_path,
        """models:
  - name: rates
    description: Rates.
    grain: one row per order
    computed_per: nightly
    tests:
      - {unique: []}
      - not_null
    columns:
      - {name: a, description: A., tests: [not_null, uniq]}
      - {name: b, description: B., tests: unique}
      - {name: c, description: C., tests: [{accepted_range: {}}]}
      - {name: d, description: D., tests: [{accepted_range: {minimum: 2, maximum: 1}}]}
      - {name: e, description: E., tests: [{accepted_values: [NO]}]}
      - {name: f, tests: [{relationships: {to: spine, field: id}}]}
      - {name: g, description: G., type: category, tests: [{accepted_range: {minimum: 0}}]}
""",
    )
    path = tmp_path / "features.yml"
    column_tests = (
        "no such test; write unique, not_null, {accepted_range: {minimum: .., maximum: ..}}, {accepted_values: [..]} or "
        "{relationships: {to: <model>, column: <name>}}"
    )
    model_tests = (
        'no such test; write {unique: [<column>, ..]} or {expression: "<boolean SQL>"}, each with a name if you like'
    )
    assert lines == [
        f"{path}, line 5: model rates, computed_per: must be 'night' or 'landing'; it is 'nightly'.",
        f"{path}, line 7: model rates, test 1, unique: must name at least one.",
        f"{path}, line 8: model rates, test 2: {model_tests}; it is 'not_null'.",
        f"{path}, line 10: model rates, column a, test 2: {column_tests}; it is 'uniq'.",
        f"{path}, line 11: model rates, column b, tests: must be a list; it is 'unique'.",
        f"{path}, line 12: model rates, column c, test 1, accepted_range: a range needs a minimum, a maximum or both.",
        f"{path}, line 13: model rates, column d, test 1, accepted_range: minimum 2 is above maximum 1, so no value would pass.",
        (
            f"{path}, line 14: model rates, column e, test 1, accepted_value 1: YAML reads this as the bool False, which is "
            "neither text nor a number; write it in quotes."
        ),
        f"{path}, line 15: model rates, column f, description: is missing.",
        f"{path}, line 15: model rates, column f, test 1, relationships, column: is missing.",
        f"{path}, line 15: model rates, column f, test 1, relationships, field: is not known here.",
        (
            f"{path}, line 16: model rates, column g: accepted_range is for numbers, and this is a category; "
            "write accepted_values."
        ),
    ]


def test_what_is_described_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "features.yml"
    assert refusal(tmp_path, OLD.replace("name: rates", "name: spine")) == [
        f"{path}: model spine is described twice; remove one of the entries"
    ]
    doubled = OLD + "      - {name: rate, description: Again.}\n"
    assert refusal(tmp_path, doubled) == [
        f"{path}, line 3: model rates: columns ['rate'] are declared twice; remove one of the entries."
    ]
