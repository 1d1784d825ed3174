from pathlib import Path

from ml_pipeline.domain.model_review import review_markdown
from ml_pipeline.operations.explain_model import review_model
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_TRAINED_ON
from ml_pipeline_tests.operations.test_explain_model import champion


def test_the_card_of_the_champion_is_printed_whole(scored_shop: Site) -> None:
    result = invoke(scored_shop, "card")
    assert result.exit_code == 0, result.output
    for words in ("# Returned orders of a shop: model of the night 2024-05-05", "## What moves the score", "## Lineage",
                  champion(scored_shop).version):  # fmt: skip
        assert words in result.output


def test_a_named_bundle_is_written_as_one_html_file(scored_shop: Site, tmp_path: Path) -> None:
    version, path = champion(scored_shop).version, tmp_path / "card.html"
    result = invoke(scored_shop, "card", version, "--no-review", "--html", str(path))
    assert (result.exit_code, result.output) == (0, f"{version}: {path}\n")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "Lineage" in text
    assert "What moves the score" not in text


def test_the_review_of_a_bundle_and_of_its_night_is_the_same(scored_shop: Site) -> None:
    expected = review_markdown(review_model(scored_shop, champion(scored_shop)))
    for arguments in ((), (champion(scored_shop).version,), ("--night", str(SHOP_TRAINED_ON))):
        result = invoke(scored_shop, "review", *arguments)
        assert (result.exit_code, result.output) == (0, expected)


def test_what_is_not_there_is_said_in_words(scored_shop: Site, shop_site: Site) -> None:
    for site, arguments, words in (
        (scored_shop, ("card", "2024-01-01-none"), "there is no model bundle 2024-01-01-none"),
        (scored_shop, ("review", "--night", "2024-05-01"), "2024-05-01"),
        (scored_shop, ("review", "x", "--night", "2024-05-05"), "name VERSION or --night, not both"),
        (shop_site, ("card",), "there is no champion yet"),
        (shop_site, ("review",), "there is no champion yet"),
    ):
        result = invoke(site, *arguments)
        assert result.exit_code != 0
        assert words in result.output
        assert "Traceback" not in result.output
