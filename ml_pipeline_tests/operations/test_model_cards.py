import shutil

from ml_pipeline.domain.document import document_markdown
from ml_pipeline.domain.document_html import document_html
from ml_pipeline.domain.model_card import model_card
from ml_pipeline.operations.explain_model import review_model
from ml_pipeline.operations.model_cards import card_facts, full_card
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.trainings import TRAININGS, recorded_training
from ml_pipeline_tests.operations.test_explain_model import champion


def test_the_files_of_a_bundle_give_its_own_card_byte_for_byte(scored_shop: Site) -> None:
    bundle = champion(scored_shop)
    card = model_card(card_facts(bundle))
    assert document_markdown(card) == bundle.text("model_card.md")
    assert document_html(card) == bundle.text("model_card.html")


def test_the_bundle_names_no_place_and_no_delta_version(scored_shop: Site) -> None:
    bundle = champion(scored_shop)
    recorded = recorded_training(scored_shop, bundle.version)
    assert recorded is not None
    for name in ("model_card.md", "model_card.html", "calibration.json"):
        text = bundle.text(name)
        assert str(scored_shop.data) not in text
        assert str(recorded.git_commit) not in text
        assert "raw/orders" not in text


def test_the_whole_card_names_what_it_was_made_from(scored_shop: Site) -> None:
    bundle = champion(scored_shop)
    text = document_markdown(full_card(scored_shop, bundle, review_model(scored_shop, bundle)))
    lineage = text.split("## Lineage")[1]
    recorded = recorded_training(scored_shop, bundle.version)
    assert recorded is not None
    for table, version in recorded.table_versions.items():
        assert f"| {table} | {version} |" in lineage
    assert {features_table(scored_shop.sql), "labels", "raw/orders"} <= set(recorded.table_versions)
    for fact in (bundle.version, bundle.manifest_sha256, bundle.manifest["inputs_hash"], str(recorded.git_commit)):
        assert fact in lineage
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles[-5:] == [
        "What moves the score", "What is lost without a group of features", "The most confident mistakes", "How it behaves",
        "Lineage",
    ]  # fmt: skip


def test_a_bundle_that_the_ledger_does_not_know_says_so(scored_shop_copy: Site) -> None:
    shutil.rmtree(scored_shop_copy.data / "ledgers" / TRAININGS)
    text = document_markdown(full_card(scored_shop_copy, champion(scored_shop_copy), None))
    assert "The ledger of trainings does not know this bundle" in text
    assert "What moves the score" not in text
