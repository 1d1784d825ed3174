from pathlib import Path

import pytest

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_SCORED


def champion_file(site: Site, name: str) -> Path:
    return site.models / str(current_champion(site)) / name


def test_a_bundle_that_comes_out_the_same_is_shown_file_by_file(scored_shop: Site) -> None:
    version = str(current_champion(scored_shop))
    answer = invoke(scored_shop, "reproduce", version)
    assert answer.exit_code == 0, answer.output
    head, *lines, last = answer.output.splitlines()
    assert (head, last) == (f"{version}: reproduced", "1 tried, 0 not reproduced")
    assert {line.split()[0] for line in lines} == {"equal"}
    assert {"manifest.json", "model.txt", "reference.parquet"} <= {line.split()[1] for line in lines}


def test_a_night_that_comes_out_the_same_is_shown_table_by_table(scored_shop: Site) -> None:
    answer = invoke(scored_shop, "reproduce", "--night", str(SHOP_SCORED[0]))
    assert answer.exit_code == 0, answer.output
    words = [line.split()[:2] for line in answer.output.splitlines()[1:-1]]
    assert words == [["equal", features_table(scored_shop.sql)], ["equal", "scores"]]


def test_everything_is_every_bundle_and_every_scored_night(scored_shop: Site) -> None:
    answer = invoke(scored_shop, "reproduce", "--all")
    assert answer.exit_code == 0, answer.output
    heads = [line for line in answer.output.splitlines() if line.endswith(": reproduced")]
    assert heads == [f"{subject}: reproduced" for subject in (current_champion(scored_shop), *SHOP_SCORED)]


def test_a_file_that_differs_is_named_and_ends_with_an_error(scored_shop_copy: Site) -> None:
    champion_file(scored_shop_copy, "model_card.md").write_text("changed")
    answer = invoke(scored_shop_copy, "reproduce", str(current_champion(scored_shop_copy)))
    assert answer.exit_code == 1
    (line,) = [line for line in answer.output.splitlines() if line.startswith("  differs")]
    assert line.startswith("  differs model_card.md: recorded ")
    assert answer.output.endswith("1 tried, 1 not reproduced\n")


def test_what_cannot_be_made_again_says_why_and_the_rest_is_tried(scored_shop_copy: Site) -> None:
    site = scored_shop_copy
    (site.data / "ledgers" / "trainings" / "000001.json").unlink()
    answer = invoke(site, "reproduce", "--all")
    assert answer.exit_code == 1
    assert "not made again: the ledger of trainings does not know it" in answer.output
    assert answer.output.endswith(f"{1 + len(SHOP_SCORED)} tried, 1 not reproduced\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("2024-05-05-0000000000",), "NOT REPRODUCED: there is no model bundle 2024-05-05-0000000000"),
        (("--night", "2024-05-20"), "NOT REPRODUCED: night 2024-05-20 was never scored"),
    ],
)
def test_what_does_not_exist_is_no_traceback(scored_shop: Site, arguments: tuple[str, ...], said: str) -> None:
    answer = invoke(scored_shop, "reproduce", *arguments)
    assert (answer.exit_code, isinstance(answer.exception, SystemExit)) == (1, True)
    assert said in answer.output


@pytest.mark.parametrize("arguments", [(), ("some", "--all"), ("some", "--night", "2024-05-05")])
def test_exactly_one_thing_is_to_be_named(shop_site: Site, arguments: tuple[str, ...]) -> None:
    answer = invoke(shop_site, "reproduce", *arguments)
    assert (answer.exit_code, "name one of VERSION, --night or --all" in answer.output) == (2, True)


def test_an_empty_installation_reproduces_nothing(shop_site: Site) -> None:
    answer = invoke(shop_site, "reproduce", "--all")
    assert (answer.exit_code, answer.output) == (1, "0 tried, 0 not reproduced\n")
