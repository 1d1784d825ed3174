from collections.abc import Callable
from pathlib import Path

import pytest

from ml_pipeline.io.sql_project import SqlProject, load_sql_project
from ml_pipeline.io.sql_template import SqlRefusedError


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def names(project: SqlProject, targets: list[str]) -> list[str]:
    return [model.name for model in project.needed_for(targets)]


def test_models_come_after_what_they_read(shop_project: Path) -> None:
    project = load_sql_project(shop_project)
    ordered = [model.name for model in project.feature_models]
    assert set(ordered) == {"spine", "stg_returns", "planned_order", "product_rates", "category_rates", "baseline"}
    assert all(
        ordered.index(read) < ordered.index(model.name) for model in project.feature_models for read in model.refs
    )
    assert names(project, ["returned_orders"]) == ["returned_orders"]


def test_features_stand_in_the_order_of_their_yaml(shop_project: Path) -> None:
    features = [feature.name for feature in load_sql_project(shop_project).features]
    assert (features[0], features[-1], len(features)) == ("product_code", "baseline_return_rate", 12)


def test_the_longest_lookback_of_each_source_is_known(shop_project: Path) -> None:
    project = load_sql_project(shop_project)
    assert project.lookbacks(project.feature_models) == {"orders": 3, "products": None, "returns": 28}
    assert project.lookbacks(project.models.values()) == {"orders": 3, "products": None, "returns": 28}


@pytest.mark.parametrize("path", ["staging/spine.sql", "staging/stg_returns.sql", "features/baseline.sql"])
def test_comments_and_layout_do_not_change_the_version(shop_project: Path, path: str) -> None:
    before = load_sql_project(shop_project).feature_set_version
    file = shop_project / path
    file.write_text("-- a new comment\n\n" + file.read_text(encoding="utf-8").replace("    ", "  ") + "-- the end\n")
    assert load_sql_project(shop_project).feature_set_version == before


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("staging/stg_returns.sql", "lookback_days=28", "lookback_days=27"),
        ("staging/stg_returns.sql", "score_date - 7", "score_date - 6"),
        ("staging/spine.sql", "where dispatch_date = score_date", "where dispatch_date = score_date and quantity < 40"),
        ("features/features.yml", "{name: quantity, window", "{name: quantity, type: category, window"),
        ("sources.yml", "minimum: 1, maximum: 50", "minimum: 1, maximum: 60"),
        ("project.yml", 'time: "20:00"', 'time: "19:00"'),
        ("project.yml", "Europe/Berlin", "Europe/London"),
        ("project.yml", "first_night: 2024-02-15", "first_night: 2024-02-16"),
    ],
)
def test_whatever_can_change_a_value_changes_the_version(shop_project: Path, path: str, old: str, new: str) -> None:
    before = load_sql_project(shop_project).feature_set_version
    edit(shop_project / path, old, new)
    assert load_sql_project(shop_project).feature_set_version != before


def test_labels_and_descriptions_do_not_change_the_version(shop_project: Path) -> None:
    before = load_sql_project(shop_project).feature_set_version
    edit(shop_project / "labels" / "returned_orders.sql", "is_sent_back as label", "not is_sent_back as label")
    edit(shop_project / "features" / "features.yml", "Pieces ordered.", "Number of pieces.")
    assert load_sql_project(shop_project).feature_set_version == before


def test_the_files_of_a_bundle_are_a_project_with_the_same_version(shop_project: Path, tmp_path: Path) -> None:
    project = load_sql_project(shop_project)
    for name, content in project.feature_set_files().items():
        (tmp_path / "bundle" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "bundle" / name).write_bytes(content)
    assert load_sql_project(tmp_path / "bundle").feature_set_version == project.feature_set_version


def _write(path: str, text: str) -> Callable[[Path], None]:
    return lambda project: (project / path).write_text(text, encoding="utf-8") and None


NAMES = ["baseline", "category_rates", "planned_order", "product_rates", "returned_orders", "spine", "stg_returns"]
LABELS = "Labels are for training only; aggregate earlier outcomes with source('…', lookback_days=…)"
RENAME = "Rename one: a feature is one column of the feature table"
TAKEN = "feature {} is declared for category_rates, but the name is taken by {}"
PER_LANDING = (
    "select product_code, count(*) as returns from {{ source('returns', lookback_days=28) }} group by product_code"
)


def _per_landing(project: Path) -> None:
    _write("features/product_rates.sql", PER_LANDING)(project)
    edit(project / "features/features.yml", "- name: product_rates", "- name: product_rates\n    computed_per: landing")


def _rename_feature(new: str) -> Callable[[Path], None]:
    return lambda project: edit(project / "features/features.yml", "name: category_return_rate_7d", f"name: {new}")


@pytest.mark.parametrize(
    ("change", "place", "reason", "remedy"),
    [
        (lambda p: edit(p / "features/baseline.sql", "ref('stg_returns')", "ref('stg_refunds')"),
         "features/baseline.sql, line 5", "ref('stg_refunds') names no model", f"Models are {NAMES}"),
        (_write("features/novel.sql", "select * from {{ spine() }}"),
         "features/novel.sql, line 1", "model novel is not described", "Add an entry for it to the .yml file in features/"),
        (lambda p: edit(p / "features/baseline.sql", "ref('stg_returns')", "ref('returned_orders')"),
         "features/baseline.sql, line 5", "features/ model baseline reads label model returned_orders", LABELS),
        (lambda p: edit(p / "staging/stg_returns.sql", "source('products')", "ref('returned_orders')"),
         "staging/stg_returns.sql, line 10", "staging/ model stg_returns reads label model returned_orders", LABELS),
        (lambda p: edit(p / "labels/returned_orders.sql", "known_at as", "now() as"),
         "labels/returned_orders.sql, line 6", "now() depends on when or where it runs",
         "Use cutoff_at or score_date, which every gated relation carries"),
        (_write("staging/baseline.sql", "select 1 as one"),
         "features/baseline.sql, line 1", "two models are called baseline, the other is staging/baseline.sql",
         "Rename one: a table, its file and its ref() are one word"),
        (lambda p: (p / "staging/spine.sql").unlink(),
         "staging/spine.sql, line 1", "there is no spine model",
         "Write it: one row per entity key and score_date to be scored"),
        (_rename_feature("product_return_rate_7d"), "features/category_rates.sql, line 1",
         TAKEN.format("product_return_rate_7d", "model product_rates"), RENAME),
        (_rename_feature("order_id"), "features/category_rates.sql, line 12",
         TAKEN.format("order_id", "the key of the spine"), RENAME),
        (_rename_feature("score_date"), "features/category_rates.sql, line 4",
         TAKEN.format("score_date", "the key of the spine"), RENAME),
        (_per_landing, "features/product_rates.sql, line 1",
         "product_rates is computed per landing, but features/product_rates answers for a night",
         "Leave computed_per away, or move what is summed into a model in daily/"),
    ],
)  # fmt: skip
def test_a_bad_model_is_refused_with_file_line_reason_and_remedy(
    shop_project: Path, change: Callable[[Path], None], place: str, reason: str, remedy: str
) -> None:
    change(shop_project)
    with pytest.raises(SqlRefusedError) as caught:
        load_sql_project(shop_project)
    assert str(caught.value) == f"{place}: {reason}. {remedy}."


@pytest.mark.parametrize(
    ("read", "circle"), [("spine", ["spine", "spine"]), ("baseline", ["baseline", "spine", "baseline"])]
)
def test_models_that_read_each_other_in_a_circle_are_refused(shop_project: Path, read: str, circle: list[str]) -> None:
    edit(
        shop_project / "staging" / "spine.sql",
        "where",
        f"where order_id in (select order_id from {{{{ ref('{read}') }}}}) and",
    )
    with pytest.raises(SqlRefusedError) as caught:
        load_sql_project(shop_project)
    assert str(caught.value) == (
        f"staging/spine.sql, line 13: models read each other in a circle: {circle}. "
        "Move what they share into a model of its own."
    )


def test_a_described_model_without_its_file_is_refused(shop_project: Path) -> None:
    (shop_project / "features" / "baseline.sql").unlink()
    with pytest.raises(FileNotFoundError, match=r"describes models \['baseline'\], but there is no such .sql file"):
        load_sql_project(shop_project)


@pytest.mark.parametrize("name", ["project.yml", "features/features.yml", "features/baseline.sql"])
def test_a_project_is_read_again_when_a_file_of_it_has_changed(shop_project: Path, name: str) -> None:
    before = load_sql_project(shop_project)
    assert load_sql_project(shop_project) is before
    path = shop_project / name
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert load_sql_project(shop_project) is not before


def test_a_refusal_is_not_remembered_as_an_answer(shop_project: Path) -> None:
    path = shop_project / "features" / "baseline.sql"
    honest = path.read_text(encoding="utf-8")
    for _ in range(2):
        path.write_text(honest + "-- {{ ref('nobody') }}\n", encoding="utf-8")
        with pytest.raises(SqlRefusedError, match="nobody"):
            load_sql_project(shop_project)
    path.write_text(honest, encoding="utf-8")
    assert load_sql_project(shop_project).models
