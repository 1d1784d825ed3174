from pathlib import Path

import pytest
import yaml

from ml_pipeline.contracts.yaml_files import read_yaml


def test_a_mistake_names_file_line_and_column(tmp_path: Path) -> None:
    path = tmp_path / "features.yml"
    path.write_text("models:\n  - {name: a\n  - {name: b}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"features\.yml: cannot be read as YAML: (.|\n)*line 3, column 5"):
        read_yaml(path)


def test_what_would_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "project.yml"
    path.write_text(f"a: !!python/object/apply:os.mkdir ['{tmp_path / 'ran'}']\n", encoding="utf-8")
    with pytest.raises(ValueError, match="could not determine a constructor"):
        read_yaml(path)
    assert not (tmp_path / "ran").exists()


def test_it_reads_what_the_parser_in_python_reads() -> None:
    for path in sorted((Path(__file__).parents[2] / "dbt_like_sql").rglob("*.yml")):
        assert read_yaml(path) == yaml.safe_load(path.read_text(encoding="utf-8"))
