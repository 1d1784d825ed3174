"""No partition key, version or name that is handed in leaves the data root or becomes SQL: each is refused with a message."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ml_pipeline.cli.main import main
from ml_pipeline.io.bundle_folder import require_inside
from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.io.sql_project import load_sql_project
from ml_pipeline.io.table_store import TableStore
from ml_pipeline.nights import parse_night
from ml_pipeline.operations.recover import run_lock
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.hostile_names import HOSTILE
from ml_pipeline_tests.processes import run_python

RUNS = """
import json, sys
import dagster as dg
from ml_pipeline.definitions import definitions
job = definitions().resolve_job_def("ingestion")
started = []
with dg.DagsterInstance.ephemeral() as instance:
    for key in json.loads(sys.stdin.read()):
        for tags in ({"dagster/partition": key},
                     {"dagster/asset_partition_range_start": key, "dagster/asset_partition_range_end": "2024-02-20"},
                     {"dagster/asset_partition_range_start": "2024-02-20", "dagster/asset_partition_range_end": key}):
            try:
                # As the command does it: the tags of a terminal, the partition among them.
                done = job.execute_in_process(
                    instance=instance, tags=tags, partition_key=tags.get("dagster/partition"), raise_on_error=False)
            except Exception as error:
                assert str(error), tags
                continue
            if done.get_asset_materialization_events():
                started.append(tags)
print(json.dumps(started))
"""


def files_near(folder: Path) -> set[Path]:
    """Everything in the folder of the data root and beside it."""
    return {path for path in folder.parent.rglob("*") if path.name != "index.sqlite"} | set(Path("/tmp").glob("pwned*"))


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE)
    assert len(HOSTILE) >= 200


def test_no_hostile_name_is_a_night_a_table_a_bundle_a_file_or_a_run(tmp_path: Path) -> None:
    before, accepted = files_near(tmp_path), []
    for name in HOSTILE:
        for take, error in (
            (parse_night, ValueError), (TableStore(tmp_path).path, ValueError), (TableStore(tmp_path / "x").exists, ValueError),
            (lambda text: require_inside(text, "a bundle"), BundleError), (lambda text: run_lock(tmp_path, text), ValueError),
            (lambda text: read_bundle(tmp_path, text), (BundleError, ValueError, OSError)),
        ):  # fmt: skip
            try:
                take(name)
            except error as refusal:
                assert str(refusal)
            else:
                accepted.append(name)
    inside = {name for name in accepted if not (tmp_path / name).resolve().is_relative_to(tmp_path.resolve())}
    print(f"names: {6 * len(HOSTILE)} / {len(inside)} leave the root")
    assert inside == set()
    assert files_near(tmp_path) == before


def test_no_hostile_partition_key_starts_a_step(shop_project: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    before = files_near(data)
    keys = [name for name in HOSTILE if len(name) < 1000][::24]
    code = RUNS.replace("sys.stdin.read()", "open(sys.argv[1]).read()")
    listed = tmp_path.parent / "keys.json"
    listed.write_text(json.dumps(keys))
    environment = {"ML_PIPELINE_PROJECT": str(shop_project), "ML_PIPELINE_DATA": str(data)}
    started = json.loads(run_python(code, str(listed), environment=environment).splitlines()[-1])
    listed.unlink()
    print(f"partition keys: {3 * len(keys)} / {len(started)} started")
    assert started == []
    assert {path for path in files_near(data) - before if "locks" not in path.parts} == set()


def test_no_hostile_argument_of_a_command_gets_through(shop_site: Site) -> None:
    environment = {"ML_PIPELINE_DATA": str(shop_site.data), "ML_PIPELINE_PROJECT": str(shop_site.sql.folder)}
    before, passed = files_near(shop_site.data), []
    for name in HOSTILE[::18]:
        for command in (["promote", name, "--reason", "x", "--until", "2024-06-01"], ["promote", "m", "--reason", "x", "--until", name],
                        ["reproduce", "--", name], ["reproduce", "--night", name], ["features", "show", "--", name]):  # fmt: skip
            result = CliRunner().invoke(main, command, env=environment)
            is_clean = isinstance(result.exception, SystemExit) and "Traceback" not in result.output
            if result.exit_code == 0 or not is_clean:
                passed.append((command, result.exit_code, repr(result.exception)[:100]))
    print(f"arguments: {5 * len(HOSTILE[::18])} / {len(passed)}")
    assert passed == []
    assert files_near(shop_site.data) == before


@pytest.mark.parametrize(
    ("place", "hostile"),
    [("timezone", "../../etc/passwd"), ("name", '"x; drop table y"'), ("entity_key", "['order_id\"; --']")],
)
def test_a_hostile_identifier_in_the_use_case_is_refused(shop_project: Path, place: str, hostile: str) -> None:
    path = shop_project / "project.yml"
    text = path.read_text(encoding="utf-8")
    changed = re.sub(rf"^{place}: .*$", f"{place}: {hostile}", text, flags=re.MULTILINE)
    assert changed != text
    path.write_text(changed, encoding="utf-8")
    with pytest.raises(ValueError, match=place):
        load_sql_project(shop_project)
