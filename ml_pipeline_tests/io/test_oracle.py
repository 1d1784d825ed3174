from pathlib import Path

import pytest

from ml_pipeline.contracts.project import load_project
from ml_pipeline.contracts.sql_models import load_model_contracts
from ml_pipeline.io.oracle import OracleError, load_oracle
from ml_pipeline_tests.processes import ROOT

FLIGHTS = ROOT / "dbt_like_sql" / "nyc_flights"
ANSWERS = """
class Oracle:
    features = ("quantity",)

    def __init__(self, landed, calendar):
        self.landed = landed

    def cell(self, key, night, feature):
        return 1.0
"""


def write(folder: Path, text: str) -> Path:
    (folder / "oracle.py").write_text(text, encoding="utf-8")
    return folder


def test_the_default_use_case_brings_an_oracle_of_every_feature() -> None:
    oracle_class = load_oracle(FLIGHTS)
    models = load_model_contracts(FLIGHTS / "features").values()
    declared = {column.name for model in models for column in model.columns}
    assert oracle_class is not None
    assert len(declared) > 100
    assert declared - set(oracle_class.features) == set()


def test_a_use_case_without_an_oracle_has_none(tmp_path: Path) -> None:
    assert load_oracle(tmp_path) is None


def test_an_oracle_answers(tmp_path: Path) -> None:
    oracle_class = load_oracle(write(tmp_path, ANSWERS))
    assert oracle_class is not None
    calendar = load_project(FLIGHTS).calendar()
    assert oracle_class({}, calendar).cell({}, calendar.first_night, "quantity") == 1.0


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("def cell(): ...", "defines no class Oracle"),
        (ANSWERS.replace("def cell", "def value"), "class Oracle has no method cell"),
        (ANSWERS.replace("    features =", "    names ="), "class Oracle names no features"),
        (ANSWERS.replace('("quantity",)', "()"), "class Oracle names no features"),
    ],
)
def test_what_an_oracle_lacks_is_said_with_the_remedy(tmp_path: Path, text: str, lacks: str) -> None:
    with pytest.raises(OracleError, match=rf"oracle\.py.*{lacks}; write a class Oracle\(landed, calendar\)"):
        load_oracle(write(tmp_path, text))


def test_an_oracle_that_is_no_python_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(SyntaxError, match=r"oracle\.py, line 2"):
        load_oracle(write(tmp_path, "\nclass Oracle(:"))


def test_loading_leaves_nothing_behind_and_reads_the_file_again(tmp_path: Path) -> None:
    """A text of equal length, written within the clock tick of the old one: bytecode would hide it."""
    first = load_oracle(write(tmp_path, ANSWERS))
    second = load_oracle(write(tmp_path, ANSWERS.replace("quantity", "quantitj")))
    assert first is not None and second is not None
    assert (first.features, second.features) == (("quantity",), ("quantitj",))
    assert [path.name for path in tmp_path.iterdir()] == ["oracle.py"]
