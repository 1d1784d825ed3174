"""A training as of a night sees no label that became known after the night's cutoff. On the shop's corrected labels."""

from datetime import date

import pyarrow as pa

from ml_pipeline.nights import Night, nights_between
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.training_rows import labelled_rows
from ml_pipeline_tests.conftest import SHOP_LANDED_UNTIL, SHOP_TRAINED_ON


def oracle_labels(site: Site, rows: pa.Table, night: Night) -> dict[str, bool]:
    """What plain pandas knows of each order by the cutoff of ``night``."""
    landed = site.tables.read("raw/returns", list(site.tables.published("raw/returns"))).to_pandas()
    known = landed[landed["known_at"] <= site.calendar.cutoff(night)].sort_values("known_at")
    latest = known.drop_duplicates("order_id", keep="last").set_index("order_id")["is_sent_back"]
    return {order: bool(latest[order]) for order in rows["order_id"].to_pylist() if order in latest.index}


def test_a_training_knows_no_label_from_after_its_cutoff(built_shop: Site) -> None:
    site, first = built_shop, date(2024, 2, 18)
    trials = wrong = 0
    hindsight = labelled_rows(
        site, features_table(site.sql), first=first, last=date(2024, 5, 1), known_by=SHOP_LANDED_UNTIL
    )
    later = dict(zip(hindsight.rows["order_id"].to_pylist(), hindsight.labels == 1, strict=True))
    differs = 0
    for night in (date(2024, 4, 10), date(2024, 4, 25), SHOP_TRAINED_ON):
        cutoff = site.calendar.cutoff(night)
        nights = [one for one in site.tables.published("labels") if one <= night]
        known_at = site.tables.read("labels", nights, ["label_known_at"])["label_known_at"].to_pylist()
        wrong += sum(instant > cutoff for instant in known_at)
        seen = labelled_rows(site, features_table(site.sql), first=first, last=night, known_by=night)
        found = dict(zip(seen.rows["order_id"].to_pylist(), seen.labels == 1, strict=True))
        every = site.tables.read(features_table(site.sql), nights_between(first, night))
        wrong += found != oracle_labels(site, every, night)
        trials += len(known_at) + len(found)
        differs += sum(later.get(order, label) != label for order, label in found.items())
    print(f"training labels: {trials} / {wrong}")
    assert trials > 5_000
    assert wrong == 0
    # The mutant: with hindsight some labels are others, so that this test would notice a look ahead.
    assert differs > 0
