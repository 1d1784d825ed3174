from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ml_pipeline.cli.main import main
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.processes import ROOT


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def answered(site: Site, *arguments: str) -> str:
    result: Result = invoke(site, "features", *arguments)
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_the_catalogue_lists_every_feature_once_in_the_order_of_the_table(shop_site: Site) -> None:
    head, *lines = answered(shop_site, "list").splitlines()
    assert head == f"{len(shop_site.sql.features)} features, version {shop_site.sql.feature_set_version}"
    assert [line.split()[0] for line in lines] == [feature.name for feature in shop_site.sql.features]


def test_a_feature_is_shown_with_its_sources_and_their_lookbacks(shop_site: Site) -> None:
    model = shop_site.sql.models["product_rates"]
    answer = answered(shop_site, "show", "product_return_rate_7d")
    assert answer.startswith("product_return_rate_7d: ")
    assert "\nsources: orders (3 days), products (reference), returns (28 days)\n" in answer
    assert model.path in answer and model.text in answer
    assert "personal data" not in answer


def test_a_feature_is_shown_with_its_tests_and_as_personal_data(shop_site: Site) -> None:
    file = shop_site.sql.folder / "features" / "features.yml"
    lines = file.read_text(encoding="utf-8").splitlines()
    wanted = "      - {name: channel, type: category, window: order, unit: code, description: Channel., pii: true, tests: [not_null, {accepted_values: [web, app]}]}"
    file.write_text("\n".join(wanted if "name: channel," in line else line for line in lines), encoding="utf-8")
    answer = answered(shop_site, "show", "channel")
    assert "\npersonal data: yes\ntests: not_null, {accepted_values: [web, app]}\n" in answer
    assert answered(shop_site, "lineage", "channel").startswith("channel (personal data): Channel.\n")


def test_a_feature_without_tests_says_so(shop_site: Site) -> None:
    file = shop_site.sql.folder / "features" / "features.yml"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text(
        "\n".join(
            "      - {name: channel, description: Channel.}" if "name: channel," in line else line for line in lines
        )
    )
    assert "\ntests: none\n" in answered(shop_site, "show", "channel")


def test_the_lineage_names_models_sources_columns_and_when_they_are_known(shop_site: Site) -> None:
    edit(shop_site.sql.folder / "sources.yml", "{name: is_sent_back, ", "{name: is_sent_back, pii: true, ")
    head, *lines = answered(shop_site, "lineage", "category_return_rate_7d").splitlines()
    assert head.startswith("category_return_rate_7d (personal data): ")
    assert lines == [
        "category_rates <- stg_returns",
        "  orders, 3 days, known five minutes after the order was placed, hours before it is dispatched",
        "    rows chosen by dispatch_date, product_code",
        "  products, reference, known before the first night",
        "    rows chosen by category, product_code",
        "  returns, 28 days, known one to three days after the dispatch",
        "    computed from  is_sent_back (personal data)",
        "    rows chosen by known_on, product_code",
        "  the calendar",
        "    rows chosen by score_date",
    ]


def test_the_lineage_of_a_count_names_the_rows(shop_site: Site) -> None:
    assert "\n    computed from  its rows\n" in answered(shop_site, "lineage", "product_order_count_28d")


def test_the_calendar_closes_the_list_whatever_the_sources_are_called() -> None:
    environment = {"ML_PIPELINE_PROJECT": str(ROOT / "dbt_like_sql" / "nyc_flights")}
    answer = CliRunner().invoke(main, ["features", "lineage", "weather_age_minutes"], env=environment)
    assert answer.output.splitlines()[-3:] == [
        "  the calendar", "    computed from  cutoff_at", "    rows chosen by score_date",
    ]  # fmt: skip
    assert "\n  weather_observations, 2 days, known " in answer.output


@pytest.mark.parametrize("command", ["show", "lineage"])
def test_a_feature_that_does_not_exist_is_no_traceback(shop_site: Site, command: str) -> None:
    answer = invoke(shop_site, "features", command, "nonsense")
    assert answer.exit_code == 1 and isinstance(answer.exception, SystemExit)
    assert answer.output == "Error: there is no feature nonsense; ml-pipeline features list names them all\n"


def test_a_lineage_that_cannot_be_followed_is_no_traceback(shop_site: Site) -> None:
    edit(shop_site.sql.folder / "features" / "category_rates.sql", "avg(is_sent_back::int)", "max(no_such)")
    answer = invoke(shop_site, "features", "lineage", "category_return_rate_7d")
    assert answer.exit_code == 1 and isinstance(answer.exception, SystemExit)
    assert (
        "Error: features/category_rates.sql, line 4: its columns cannot be followed: Column 'no_such'" in answer.output
    )
