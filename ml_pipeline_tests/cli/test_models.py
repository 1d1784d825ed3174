from datetime import date

import duckdb

from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import PROMOTIONS, current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.train import train
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.operations.test_promote import entry
from ml_pipeline_tests.remade_bundles import remade

LATER = date(2024, 5, 20)


def test_a_model_is_promoted_by_hand_for_a_while_and_the_catalog_says_so(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, current_champion(scored_shop_copy)
    version = train(site, LATER).bundle.version
    result = invoke(site, "promote", version, "--reason", "the old one fails", "--until", "2024-05-25")
    assert result.exit_code == 0, result.output
    words = f"{version} is champion (before: {first}); by hand, until night 2024-05-25: the old one fails"
    assert words in result.output
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select challenger, is_promoted, judged_on, until, numbers->'$.names.baseline' from promotions order by number"
        ).fetchall()
    assert rows == [
        (first, True, date(2024, 5, 5), None, '"baseline"'), (version, True, None, date(2024, 5, 25), None),
    ]  # fmt: skip


def test_an_override_without_a_reason_or_an_end_is_refused(scored_shop_copy: Site) -> None:
    site, version = scored_shop_copy, str(current_champion(scored_shop_copy))
    for arguments, words in (
        (("--until", "2024-05-25"), "Missing option '--reason'"),
        (("--reason", "why not"), "Missing option '--until'"),
        (("--reason", " ", "--until", "2024-05-25"), "needs a reason"),
        (("--reason", "why not", "--until", "2024-05-25"), "is the champion of night 2024-05-13 already"),
    ):
        result = invoke(site, "promote", version, *arguments)
        assert result.exit_code != 0
        assert words in result.output
        assert "Traceback" not in result.output
    missing = invoke(site, "promote", "2024-05-20-nothing", "--reason", "why not", "--until", "2024-05-25")
    assert "there is no model bundle 2024-05-20-nothing" in missing.output
    assert len(site.ledger("promotions").entries()) == 1


def test_a_rollback_names_who_serves_again_and_what_the_withdrawn_one_scored(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    version = remade(read_bundle(site.models, first), seed=2).version
    site.ledger(PROMOTIONS).append(entry(version, "2024-05-13"))
    result = invoke(site, "rollback", "--reason", "it misses storms")
    assert result.exit_code == 0, result.output
    assert f"{first} is champion again from night 2024-05-13 on" in result.output
    assert f"{version} is withdrawn; scored nothing" in result.output
    with duckdb.connect(str(site.data / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            "select kind, challenger, champion_before, withdrawn, reasons from promotions order by number desc limit 1"
        ).fetchall()
    assert rows == [("rollback", first, version, [version], ["rollback: it misses storms"])]
    refused = invoke(site, "rollback", "--reason", "it misses storms")
    assert refused.exit_code == 1
    assert f"there is no champion before {first} to go back to" in refused.output


def test_a_rollback_that_repairs_publishes_the_nights_of_the_withdrawn_one_again(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    version = remade(read_bundle(site.models, first), seed=2).version
    site.ledger(PROMOTIONS).append(entry(version, "2024-05-13"))
    nights = nights_between(date(2024, 5, 13), date(2024, 5, 14))
    before = site.tables.published(SCORES)
    score(site, nights)
    result = invoke(site, "rollback", "--reason", "it misses storms", "--repair")
    assert result.exit_code == 0, result.output
    assert f"{version} is withdrawn; 2 published nights, 2024-05-13 to 2024-05-14, stay its" in result.output
    assert "2 nights are scored again, 2 of them changed, in one commit" in result.output
    rows = site.tables.read(SCORES, nights, ["model_version", "served_by", "backfill_policy"]).to_pylist()
    assert {tuple(row.values())[1:] for row in rows} == {(first, "champion", "current")}
    assert {night: site.tables.published(SCORES)[night] for night in before} == before


def test_a_rollback_is_in_force_also_where_mlflow_cannot_follow(scored_shop_copy: Site) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    unknown = remade(read_bundle(site.models, first), seed=2).version
    for version in (unknown, first):
        site.ledger(PROMOTIONS).append(entry(version, "2024-05-13"))
    result = invoke(site, "rollback", "--reason", "it misses storms")
    assert result.exit_code == 1
    assert f"MLflow's alias could not follow (bundle {unknown} is not in the registry" in result.output
    assert f"{first} is withdrawn; 8 published nights, 2024-05-05 to 2024-05-12, stay its" in result.output
    assert current_champion(site) == unknown


def test_a_rearming_is_recorded_with_its_reason_and_needs_one(shop_site: Site) -> None:
    refused = invoke(shop_site, "rearm", "--reason", " ", "--night", "2024-05-25")
    assert (refused.exit_code, "needs a reason" in refused.output) == (1, True)
    result = invoke(shop_site, "rearm", "--reason", "the label was wrong", "--night", "2024-05-25")
    assert (result.exit_code, "from night 2024-05-25 on the policy may ask again" in result.output) == (0, True)
    (recorded,) = shop_site.ledger("policy_rearmed").entries()
    assert (recorded["night"], recorded["reason"]) == ("2024-05-25", "the label was wrong")
