from datetime import date

import pyarrow as pa

from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.drift_reports import report_path, write_report
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site


def test_the_features_that_the_model_gains_most_from_are_compared(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, date(2024, 5, 9)
    bundle = read_bundle(site.models, str(current_champion(site)))
    encoder, reference = load_scorer(bundle).encoder, bundle.table("reference.parquet")
    found = write_report(site, night, bundle, encoder, reference=reference, current=reference)
    gains = bundle.manifest["gain_by_feature"]
    assert set(found) == set(sorted(gains, key=lambda name: (-gains[name], name))[:8])
    assert max(found.values()) < 0.05, "rows lie where they lie"
    assert report_path(site, night).exists()
    empty = pa.Table.from_pylist([], schema=reference.schema)
    assert write_report(site, date(2024, 5, 10), bundle, encoder, reference=reference, current=empty) == {}
    assert not report_path(site, date(2024, 5, 10)).exists()
