"""A feature is one line of SQL and one line of YAML; what is in service goes on with the features that it was made with."""

from datetime import date
from pathlib import Path

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.build import build_features
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.train import train
from ml_pipeline_tests.conftest import SHOP_SCORED, SHOP_TRAINED_ON, open_test_site

SQL_LINE = "    spine.price_eur * spine.quantity as basket_eur,\n"
YAML_LINE = "      - {name: basket_eur, window: schedule, unit: EUR, description: Price of the whole order.}\n"


def insert_before(path: Path, marker: str, line: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(marker) == 1
    path.write_text(text.replace(marker, line + marker), encoding="utf-8")


def with_one_more_feature(site: Site) -> Site:
    features = site.sql.folder / "features"
    insert_before(features / "planned_order.sql", "    spine.coupon is not null as has_coupon,\n", SQL_LINE)
    yml = (features / "features.yml").read_text(encoding="utf-8")
    marker = next(line for line in yml.splitlines(keepends=True) if "name: has_coupon" in line)
    insert_before(features / "features.yml", marker, YAML_LINE)
    return open_test_site(site.sql.folder, site.data)


def test_a_model_is_trained_with_the_new_feature(trainable_shop: Site) -> None:
    before = trainable_shop.sql.feature_set_version
    site = with_one_more_feature(trainable_shop)
    build_features(site, nights_between(site.calendar.first_night, SHOP_TRAINED_ON))
    bundle = train(site, SHOP_TRAINED_ON).bundle
    names = load_scorer(bundle).encoder.names
    assert names.index("basket_eur") == names.index("has_coupon") - 1
    assert bundle.manifest["feature_set_version"] == site.sql.feature_set_version != before
    assert "basket_eur" in bundle.text("model.txt")
    # The features of before are still there, beside the new ones.
    assert site.tables.exists(f"features/{before}")


def test_the_champion_goes_on_scoring_from_its_own_sql(scored_shop_copy: Site) -> None:
    own = scored_shop_copy.sql.feature_set_version
    site = with_one_more_feature(scored_shop_copy)
    night = date(2024, 5, 13)
    champion = current_champion(site)
    outcome = score(site, [*SHOP_SCORED, night])
    assert outcome.published.changed == (night,)  # nights scored before stay as they were
    assert outcome.version_by_night[night] == champion
    assert set(site.tables.read("scores", [night])["feature_set_version"].to_pylist()) == {own}
    assert night in site.tables.published(f"features/{own}")
    assert not site.tables.exists(features_table(site.sql))
