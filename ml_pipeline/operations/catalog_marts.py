"""The use case's own views: ``marts/*.sql`` over the published ones, described by the YAML beside them."""

from pathlib import Path

from ml_pipeline.contracts.sql_models import load_model_contracts
from ml_pipeline.io.catalog import View


def mart_views(folder: Path) -> list[View]:
    """A view for each SQL file of ``folder``: those of the YAML in its order, then the others by name.

    A mart may read those before it.

    Its comment is the first line of the file, its columns' comments are those of the YAML.

    Raises:
        ValueError: the YAML describes a mart of which there is no file.
    """
    paths = {path.stem: path for path in sorted(folder.glob("*.sql"))}
    contracts = load_model_contracts(folder)
    if absent := sorted(set(contracts) - set(paths)):
        raise ValueError(f"the YAML in {folder} describes marts {absent}, but there is no such .sql file")
    columns = {
        name: {column.name: column.description for column in contract.columns} for name, contract in contracts.items()
    }
    return [
        View(name, path.read_text(encoding="utf-8").strip().rstrip(";"), _first_comment(path), columns.get(name, {}))
        for name, path in {name: paths[name] for name in [*contracts, *paths]}.items()
    ]


def _first_comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return lines[0].removeprefix("--").strip() if lines and lines[0].startswith("--") else path.stem
