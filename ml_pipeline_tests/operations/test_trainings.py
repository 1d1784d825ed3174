import shutil

from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import train
from ml_pipeline.operations.trainings import TRAININGS, record_training, recorded_training
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def test_a_training_is_recorded_with_its_tables_code_host_and_seeds(scored_shop: Site) -> None:
    (entry,) = scored_shop.ledger(TRAININGS).entries()
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    assert entry["version"] == bundle.version
    tables = [features_table(scored_shop.sql), "labels", *(f"raw/{source}" for source in scored_shop.sql.sources)]
    assert entry["table_versions"] == {table: scored_shop.tables.version(table) for table in tables}
    for name in ("code_version", "packages", "inputs_hash", "trained_on"):
        assert entry[name] == bundle.manifest[name]
    assert entry["seeds"] == {"training": 20240505}
    assert {"git_commit", "is_dirty", "lock_file_sha256", "python", "platform", "cpu_count", "threads"} <= set(entry)


def test_training_again_records_nothing_unless_the_record_is_lost(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    train(site, SHOP_TRAINED_ON)
    assert len(site.ledger(TRAININGS).entries()) == 1
    before = recorded_training(site, str(current_champion(site)))
    shutil.rmtree(site.data / "ledgers" / TRAININGS)
    assert recorded_training(site, str(current_champion(site))) is None
    assert not train(site, SHOP_TRAINED_ON).is_new
    assert recorded_training(site, str(current_champion(site))) == before


def test_a_bundle_that_was_made_again_is_known_by_its_last_training(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    bundle = read_bundle(site.models, str(current_champion(site)))
    record_training(site, bundle, {"labels": 99})
    found = recorded_training(site, bundle.version)
    assert found is not None and found.table_versions["labels"] == 99


def test_the_manifest_holds_nothing_that_differs_between_machines(scored_shop: Site) -> None:
    bundle = read_bundle(scored_shop.models, str(current_champion(scored_shop)))
    local = {
        "table_versions",
        "git_commit",
        "is_dirty",
        "lock_file_sha256",
        "python",
        "platform",
        "cpu_count",
        "threads",
    }
    assert local & set(bundle.manifest) == set()
