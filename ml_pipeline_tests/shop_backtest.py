"""The shop, landed and built to its last night, with blocks short enough for a model as of April."""

from datetime import date

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features, build_labels
from ml_pipeline.operations.land import land
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, open_test_site

APRIL, MAY = date(2024, 4, 1), date(2024, 5, 1)
_SHORTER = (
    ("early_stop_nights: 10", "early_stop_nights: 5"), ("calibrate_nights: 12", "calibrate_nights: 6"),
    ("test_nights: 12", "test_nights: 5"),
)  # fmt: skip


def with_short_blocks(site: Site) -> Site:
    """``site`` with April and May for its backtest, opened anew."""
    path = site.sql.folder / "project.yml"
    text = path.read_text(encoding="utf-8")
    for old, new in _SHORTER:
        assert old in text
        text = text.replace(old, new)
    path.write_text(f"{text}backtest: {{first: {APRIL}, last: {MAY}}}\n", encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def complete(site: Site) -> Site:
    """Land and build the nights that the shop of the tests leaves out."""
    rest = nights_between(SHOP_LANDED_UNTIL, site.project.last_night or SHOP_LANDED_UNTIL)[1:]
    for source in site.sql.sources:
        land(site, source, rest)
    build_features(site, rest)
    build_labels(site, rest)
    return site
