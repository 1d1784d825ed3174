import json

import pandas as pd
import pytest

from ml_pipeline.io.model_bundle import ModelBundle, write_bundle
from ml_pipeline.nights import nights_back, nights_between
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.split_report import report_split, split_of
from ml_pipeline.operations.train import find_training
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON


def bundle_of(site: Site) -> ModelBundle:
    bundle = find_training(site, SHOP_TRAINED_ON)
    assert bundle is not None
    return bundle


def test_a_report_counts_what_plain_pandas_counts(built_shop: Site) -> None:
    """From the landed files: orders by dispatch, and the outcome of each as it was known at the cutoff."""
    site, report = built_shop, report_split(built_shop, SHOP_TRAINED_ON)
    cutoff = site.calendar.cutoff(SHOP_TRAINED_ON)
    read = {name: site.tables.read(f"raw/{name}", list(site.tables.published(f"raw/{name}"))).to_pandas()
            for name in ("orders", "returns")}  # fmt: skip
    known = read["returns"][read["returns"]["known_at"] <= cutoff].sort_values("known_at")
    outcome = known.drop_duplicates("order_id", keep="last").set_index("order_id")
    assert [block.purpose for block in report.blocks] == ["train", "early_stop", "calibrate", "test"]
    for block in report.blocks:
        mine = read["orders"][read["orders"]["dispatch_date"].between(block.first, block.last)]
        labels = outcome.reindex(mine["order_id"]).dropna(subset=["is_sent_back"])
        assert (block.rows, block.labelled_rows) == (len(mine), len(labels))
        assert block.positive_share == pytest.approx(labels["is_sent_back"].astype(float).mean())
        assert pd.Timestamp(block.latest_label_known_at) == labels["known_at"].max() <= cutoff
        lag = labels["known_at"] - [
            site.calendar.cutoff(day) for day in mine.set_index("order_id")["dispatch_date"][labels.index]
        ]
        horizon = pd.Timedelta(days=4)
        late = int((lag > horizon + pd.Timedelta(hours=1)).sum()) + block.unlabelled_rows
        # The clock change of 31 March makes one of the four nights an hour shorter.
        assert late <= block.late_labels <= int((lag > horizon - pd.Timedelta(hours=1)).sum()) + block.unlabelled_rows
        assert block.late_labels > 0, "the shop has corrections"


def test_an_order_is_an_entity_that_never_comes_back(built_shop: Site) -> None:
    train, *others = report_split(built_shop, SHOP_TRAINED_ON).blocks
    assert train.entities == train.distinct["order_id"] == train.labelled_rows
    assert [block.met_entity_share for block in others] == [0.0, 0.0, 0.0]


def test_the_report_of_a_model_lies_in_its_bundle_and_on_its_card(scored_shop: Site) -> None:
    bundle, report = bundle_of(scored_shop), report_split(scored_shop, SHOP_TRAINED_ON)
    assert split_of(bundle) == report
    train = report.blocks[0]
    assert (
        f"| train | {train.first} | {train.last} | {train.labelled_rows:,} | {train.unlabelled_rows} |"
        in bundle.text("model_card.md")
    )
    assert {block.purpose: block.labelled_rows for block in report.blocks} == bundle.json("metrics.json")["rows"]
    assert "split.json" in bundle.manifest["files"]


def test_later_nights_do_not_change_a_report(scored_shop: Site) -> None:
    """The bundle was made when nights up to the training were the last ones; now there are more, and corrections."""
    assert max(scored_shop.tables.published("labels")) > nights_back(SHOP_TRAINED_ON, -14)
    assert split_of(bundle_of(scored_shop)) == report_split(scored_shop, SHOP_TRAINED_ON)


def test_a_bundle_from_before_there_were_reports_still_loads(scored_shop_copy: Site) -> None:
    now = bundle_of(scored_shop_copy)
    kept = {name: (now.folder / name).read_bytes() for name in now.manifest["files"] if name != "split.json"}
    facts = {name: value for name, value in now.manifest.items() if name != "files"}
    old = write_bundle(scored_shop_copy.models, kept, facts, label=str(SHOP_TRAINED_ON))
    assert old.version != now.version
    assert split_of(old) is None
    assert load_scorer(old).threshold == load_scorer(now).threshold
    assert "embargo" not in old.text("feature_set/project.yml"), "fields that it does not know have their defaults"
    assert old.feature_set.project.training.embargo == "label_horizon"


def test_the_file_is_plain_json_without_clock_or_machine(scored_shop: Site) -> None:
    text = bundle_of(scored_shop).text("split.json")
    content = json.loads(text)
    assert content["trained_on"] == str(SHOP_TRAINED_ON)
    assert str(scored_shop.data) not in text
    assert [
        len(nights_between(*map(pd.Timestamp, (block["first"], block["last"])))) for block in content["blocks"]
    ] == [block["nights"] for block in content["blocks"]]
