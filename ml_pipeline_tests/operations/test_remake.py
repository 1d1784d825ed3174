import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.remake import make_again
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.trainings import recorded_training
from ml_pipeline.operations.tuned_training import TUNING_FILE


def test_a_bundle_comes_out_as_the_same_version_in_another_place(scored_shop: Site, tmp_path: Path) -> None:
    version = str(current_champion(scored_shop))
    bundle, training = read_bundle(scored_shop.models, version), recorded_training(scored_shop, version)
    assert training is not None
    elsewhere = replace(scored_shop, data=tmp_path)
    again = make_again(scored_shop, elsewhere, bundle.folder, bundle.manifest, training.table_versions)
    assert again.version == version
    assert again.folder.is_relative_to(tmp_path)


@pytest.mark.parametrize("content", [b"{}", None])
def test_a_tuning_that_is_not_as_it_was_written_is_never_used(
    scored_shop: Site, tmp_path: Path, content: bytes | None
) -> None:
    version = str(current_champion(scored_shop))
    bundle = read_bundle(scored_shop.models, version)
    folder = Path(shutil.copytree(bundle.folder, tmp_path / version))
    if content is not None:
        (folder / TUNING_FILE).write_bytes(content)
    manifest = {**bundle.manifest, "files": {**bundle.manifest["files"], TUNING_FILE: "0" * 64}}
    with pytest.raises(BundleError, match=r"tuning\.json is not as it was written"):
        make_again(scored_shop, replace(scored_shop, data=tmp_path), folder, manifest, {})
