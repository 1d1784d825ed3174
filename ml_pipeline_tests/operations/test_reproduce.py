import dataclasses
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.io.table_store import NightInputs, PublishedNight, TableStore
from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations import reproduce
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.reproduce import Comparison, Reproduction, reproduce_bundle, reproduce_night
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import find_training
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON, open_test_site

# Lies in the test block of the champion, and in the lookback of every scored night.
CORRECTED = date(2024, 4, 25)


class Backwards(TableStore):
    """Every table out of its files in the opposite order."""

    def files(
        self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None
    ) -> list[Path]:  # fmt: skip
        return super().files(table, nights, version=version)[::-1]


class Newest(TableStore):
    """A mutant: whatever version is asked for, the newest rows are read."""

    def published(
        self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None, least_rows: int = 0
    ) -> dict[Night, PublishedNight]:
        return super().published(table, nights, least_rows=least_rows)

    def files(
        self, table: str, nights: Sequence[Night] | None = None, *, version: int | None = None
    ) -> list[Path]:  # fmt: skip
        return super().files(table, nights)


def champion(site: Site) -> str:
    version = current_champion(site)
    assert version is not None
    return version


def bundle_file(site: Site, name: str) -> Path:
    return site.models / champion(site) / name


def names(found: Sequence[Comparison]) -> list[str]:
    return [comparison.name for comparison in found]


def correct_landed_rows(site: Site) -> None:
    """Land the outcomes of one night anew, each turned round, as a restatement of the past would."""
    rows = site.tables.read("raw/returns", [CORRECTED])
    assert rows.num_rows
    position = rows.schema.get_field_index("is_sent_back")
    turned = rows.set_column(position, "is_sent_back", pc.invert(rows.column("is_sent_back")))
    facts = site.tables.published("raw/returns", [CORRECTED])[CORRECTED].facts
    key = [*site.sql.sources["returns"].key, "known_at"]
    changed = site.tables.publish("raw/returns", turned, {CORRECTED: NightInputs("corrected", facts)}, key=key).changed
    assert changed == (CORRECTED,)


def build_again(site: Site) -> None:
    nights = nights_between(CORRECTED, SHOP_SCORED[-1])
    assert build_features(site, nights).changed
    assert build_labels(site, nights).changed


@pytest.fixture
def corrected_shop(scored_shop_copy: Site) -> Site:
    """The scored shop after a landed night was corrected, and features and labels were built again from it."""
    correct_landed_rows(scored_shop_copy)
    build_again(scored_shop_copy)
    return scored_shop_copy


def test_the_champion_comes_out_the_same_file_by_file(scored_shop: Site) -> None:
    found = reproduce_bundle(scored_shop, champion(scored_shop))
    assert (found.is_reproduced, found.reasons, found.differing) == (True, (), ())
    bundle = find_training(scored_shop, SHOP_TRAINED_ON)
    assert bundle is not None
    assert sorted(names(found.comparisons)) == sorted([*bundle.manifest["files"], "manifest.json"])


@pytest.mark.parametrize("night", SHOP_SCORED)
def test_every_scored_night_comes_out_the_same(scored_shop: Site, night: Night) -> None:
    found = reproduce_night(scored_shop, night)
    assert found.is_reproduced, found
    assert names(found.comparisons) == [features_table(scored_shop.sql), "scores"]


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_changes_nothing(scored_shop: Site, threads: int) -> None:
    site = dataclasses.replace(scored_shop, threads=threads)
    assert reproduce_bundle(site, champion(site)).is_reproduced
    assert reproduce_night(site, SHOP_SCORED[2]).is_reproduced


def test_the_order_of_files_changes_nothing(scored_shop: Site) -> None:
    site = dataclasses.replace(scored_shop, tables=Backwards(scored_shop.data))
    assert site.tables.files("raw/orders") != scored_shop.tables.files("raw/orders")
    assert reproduce_bundle(site, champion(site)).is_reproduced
    assert reproduce_night(site, SHOP_SCORED[2]).is_reproduced


def test_nothing_of_the_installation_is_written(scored_shop_copy: Site) -> None:
    def content(site: Site) -> dict[str, tuple[int, int]]:
        files = [path for path in site.data.rglob("*") if path.is_file() and path.name != "night_index.sqlite"]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in files}

    before = content(scored_shop_copy)
    assert reproduce_bundle(scored_shop_copy, champion(scored_shop_copy)).is_reproduced
    assert reproduce_night(scored_shop_copy, SHOP_SCORED[0]).is_reproduced
    assert content(scored_shop_copy) == before


def test_later_corrections_change_nothing(corrected_shop: Site) -> None:
    assert reproduce_bundle(corrected_shop, champion(corrected_shop)).is_reproduced
    assert [reproduce_night(corrected_shop, night).is_reproduced for night in SHOP_SCORED] == [True] * len(SHOP_SCORED)


def test_who_ignores_the_recorded_versions_is_found_out(corrected_shop: Site) -> None:
    """The same corrections seen by a store that always answers with the newest rows."""
    site = dataclasses.replace(corrected_shop, tables=Newest(corrected_shop.data))
    assert {"model.txt", "metrics.json", "manifest.json"} & set(
        names(reproduce_bundle(site, champion(site)).differing)
    )  # fmt: skip
    assert names(reproduce_night(site, SHOP_SCORED[0]).differing) == ["scores"]


def test_a_correction_that_nothing_was_built_from_yet_changes_nothing(scored_shop_copy: Site) -> None:
    correct_landed_rows(scored_shop_copy)
    assert reproduce_night(scored_shop_copy, SHOP_SCORED[0]).is_reproduced
    ignored = dataclasses.replace(scored_shop_copy, tables=Newest(scored_shop_copy.data))
    assert not reproduce_night(ignored, SHOP_SCORED[0]).is_reproduced


def test_a_project_that_has_changed_since_changes_nothing(scored_shop_copy: Site) -> None:
    file = scored_shop_copy.sql.folder / "project.yml"
    text = file.read_text(encoding="utf-8")
    assert "seed: 20240505" in text
    file.write_text(text.replace("seed: 20240505", "seed: 1"), encoding="utf-8")
    site = open_test_site(scored_shop_copy.sql.folder, scored_shop_copy.data)
    assert find_training(site, SHOP_TRAINED_ON) is None
    assert reproduce_bundle(site, champion(site)).is_reproduced


def test_a_changed_a_missing_and_an_added_file_are_named(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    bundle_file(site, "model_card.md").write_text("a better model")
    bundle_file(site, "threshold.json").unlink()
    bundle_file(site, "added.txt").write_text("more")
    found = reproduce_bundle(site, champion(site))
    assert not found.is_reproduced
    added, card, threshold = found.differing
    assert (added.name, added.recorded, added.rebuilt) == ("added.txt", None, None)
    assert card.name == "model_card.md" and card.recorded == card.rebuilt != card.found
    assert (threshold.name, threshold.found) == ("threshold.json", None)


def test_a_changed_feature_set_is_not_run(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    spine = bundle_file(site, "feature_set/staging/spine.sql")
    spine.write_text(spine.read_text(encoding="utf-8") + "-- changed\n", encoding="utf-8")
    found = reproduce_bundle(site, champion(site))
    assert (found.is_reproduced, len(found.reasons)) == (False, 1)
    assert "its feature set was changed" in found.reasons[0]
    assert {comparison.rebuilt for comparison in found.comparisons} == {None}
    with pytest.raises(BundleError, match=r"spine\.sql"):
        reproduce_night(site, SHOP_SCORED[0])


def test_a_changed_manifest_is_refused(scored_shop_copy: Site) -> None:
    manifest = bundle_file(scored_shop_copy, "manifest.json")
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("2024-05-05", "2024-05-06"), encoding="utf-8")
    with pytest.raises(BundleError, match="manifest"):
        reproduce_bundle(scored_shop_copy, champion(scored_shop_copy))


@pytest.mark.parametrize("version", ["2024-05-05-0000000000", "../models", "."])
def test_a_bundle_that_does_not_exist_is_refused(scored_shop: Site, version: str) -> None:
    with pytest.raises(BundleError, match="there is no"):
        reproduce_bundle(scored_shop, version)


def test_a_training_that_was_not_recorded_is_a_reason(scored_shop_copy: Site) -> None:
    shutil.rmtree(scored_shop_copy.data / "ledgers" / "trainings")
    found = reproduce_bundle(scored_shop_copy, champion(scored_shop_copy))
    assert (found.is_reproduced, len(found.reasons)) == (False, 1)
    assert "materialise trained_model for 2024-05-05 again" in found.reasons[0]


def test_other_code_and_other_packages_are_reasons(scored_shop: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = reproduce.package_versions()
    monkeypatch.setattr(reproduce, "code_version", lambda: "0123456789ab")
    monkeypatch.setattr(reproduce, "package_versions", lambda: installed | {"numpy": "0.1"})
    found = reproduce_bundle(scored_shop, champion(scored_shop))
    assert not found.is_reproduced
    code, packages = found.reasons
    assert "this is 0123456789ab" in code
    assert f"made with numpy {installed['numpy']}, 0.1 is installed" in packages


def test_a_night_that_was_never_scored_is_refused(scored_shop: Site) -> None:
    with pytest.raises(LookupError, match="2024-05-20 was never scored; materialise scores"):
        reproduce_night(scored_shop, date(2024, 5, 20))


def test_scores_that_were_published_from_elsewhere_differ(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[0]
    rows = site.tables.read("scores", [night])
    position = rows.schema.get_field_index("probability")
    nudged = rows.set_column(position, "probability", pc.multiply(rows["probability"], pa.scalar(0.999999)))
    facts = site.tables.published("scores", [night])[night].facts
    site.tables.publish("scores", nudged, {night: NightInputs("by hand", facts)}, key=site.project.entity_key)
    found = reproduce_night(site, night)
    assert names(found.differing) == ["scores"]
    assert found.differing[0].recorded == found.differing[0].found != found.differing[0].rebuilt


def test_files_that_are_gone_are_named(corrected_shop: Site) -> None:
    site = corrected_shop
    table = features_table(site.sql)
    version = site.tables.published("scores", [SHOP_SCORED[0]])[SHOP_SCORED[0]].facts[table]
    (old,) = site.tables.files(table, [SHOP_SCORED[0]], version=version)
    old.unlink()
    with pytest.raises(
        FileNotFoundError, match=f"table {table}: 1 of 1 files of version {version} are no longer there"
    ):
        reproduce_night(site, SHOP_SCORED[0])


def test_what_was_not_tried_is_not_reproduced() -> None:
    assert not Reproduction("nothing", ()).is_reproduced
    same = Comparison("model.txt", "a", "a", "a")
    assert Reproduction("one", (same,)).is_reproduced
    assert not Reproduction("one", (same,), ("other code",)).is_reproduced
    assert not Comparison("added.txt", None, None, None).is_equal
