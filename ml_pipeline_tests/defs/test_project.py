import dagster as dg

from ml_pipeline.defs.project import NIGHTS, column_schema, entity_columns, same_night, settings, sql_project


def test_the_project_is_read_once() -> None:
    assert sql_project() is sql_project()
    assert settings() is settings()


def test_the_last_night_of_the_project_is_a_partition_and_the_night_after_is_not() -> None:
    keys = NIGHTS.get_partition_keys()
    assert keys[-1] == str(sql_project().project.last_night)
    assert len(keys) == (sql_project().project.last_night - sql_project().project.first_night).days + 1  # type: ignore[operator]


def test_a_dependence_is_on_the_same_night_only() -> None:
    """A mapping with a lookback would spread a backfill of three nights over thirty."""
    for dep in same_night("features", "monitoring/drift"):
        assert dep.partition_mapping is None
    assert [dep.asset_key.to_user_string() for dep in same_night("a", "b/c")] == ["a", "b/c"]


def test_columns_are_shown_with_the_words_of_the_sources() -> None:
    columns = entity_columns()
    assert [name for name, _, _ in columns] == list(sql_project().project.entity_key)
    assert all(kind and len(text) > 5 for _, kind, text in columns)
    schema = column_schema(columns)
    assert [column.name for column in schema.columns] == ["score_date", *sql_project().project.entity_key]
    assert isinstance(schema, dg.TableSchema)
