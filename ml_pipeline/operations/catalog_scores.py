"""The views and macros of the scores: as they stand, as they ever stood, and as they stood at an instant."""

from collections.abc import Mapping

import pyarrow as pa

from ml_pipeline.contracts.column_descriptions import described
from ml_pipeline.contracts.serving import SCORES, SHADOW_SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.io.catalog import Macro, View, files_select, identifier, quoted
from ml_pipeline.operations.catalog_restatements import restatements_view
from ml_pipeline.operations.site import Site

_INSTANT = pa.timestamp("us", tz="UTC")
_PUBLICATION_COLUMNS = ("revision", SCORE_DATE, "published_at", "replaced_at", "rows")
# A night that was published again without rows has no file: what stood at an instant is chosen among publications.
_AS_PUBLISHED = f"""
select score_revisions.*
from score_revisions
inner join (
    select {SCORE_DATE}, max(revision) as revision
    from score_publications
    where published_at <= instant::timestamptz
    group by {SCORE_DATE}
) as newest using ({SCORE_DATE}, revision)
"""


def score_views(site: Site, schema: pa.Schema, key_words: Mapping[str, str]) -> list[View | Macro]:
    """The views and macros; ``schema`` is that of a table that is not there yet, ``key_words`` describe the key."""
    if site.tables.exists(SCORES):
        schema = site.tables.schema(SCORES)
    words = described(schema.names) | dict(key_words)
    scores = files_select(site.tables.files(SCORES), schema)
    return [
        View("scores", scores, "What was scored, as it stands now.", words),
        _publications(site),
        _revisions(site, schema, words),
        restatements_view(site, key_words),
        View(
            "shadow_scores", files_select(site.tables.files(SHADOW_SCORES), schema),
            "What challengers and predecessors said of the nights that they scored in the shadow; served_by says which.", words,
        ),
        Macro(
            "scores_on", ("night",), f"select * from scores where {SCORE_DATE} = night::date",
            "The scores of one night, as they stand now.",
        ),
        Macro(
            "scores_as_published_on", ("instant",), _AS_PUBLISHED,
            "The scores as they stood at an instant: what the pipeline said then, whatever it says now.",
        ),
    ]  # fmt: skip


def _publications(site: Site) -> View:
    entries = ", ".join(
        f"({each.revision}, '{each.night}', {round(each.published_at.timestamp() * 1000)}, {each.rows})"
        for each in site.tables.publications(SCORES)
    )
    listed = f"values {entries}" if entries else "select 0, '', 0, 0 where false"
    body = f"""
        select
            revision::bigint as revision, night::date as {SCORE_DATE}, make_timestamptz(at_ms * 1000) as published_at,
            make_timestamptz(1000 * lead(at_ms) over (partition by night order by revision)) as replaced_at,
            rows::bigint as rows
        from ({listed}) as published (revision, night, at_ms, rows)
    """
    columns = described(_PUBLICATION_COLUMNS) | {"rows": "Rows that were published."}
    return View("score_publications", body, "Every time that a night's scores were published, also empty.", columns)


def _revisions(site: Site, schema: pa.Schema, words: Mapping[str, str]) -> View:
    added = [
        pa.field("revision", pa.int64()), pa.field("published_at", _INSTANT), pa.field("replaced_at", _INSTANT)
    ]  # fmt: skip
    columns = {**described(field.name for field in added), **words}
    comment = "Every row ever published to scores, by the revision that published it."
    files = site.tables.every_file(SCORES)
    if not files:
        return View("score_revisions", files_select([], pa.schema([*added, *schema])), comment, columns)
    # The position in the list would not do: DuckDB counts anew after it has left out the files of other nights.
    root = f"{site.tables.path(SCORES)}/"
    listed = ", ".join(f"({version}, {quoted(str(file.relative_to(root)))})" for version, file in files)
    names = ", ".join(f"scored.{identifier(name)}" for name in schema.names)
    body = f"""
        select files.revision::bigint as revision, publications.published_at, publications.replaced_at, {names}
        from ({files_select([file for _, file in files], schema, is_named=True)}) as scored
        inner join (values {listed}) as files (revision, file)
            on substr(scored.filename, {len(root) + 1}) = files.file
        inner join score_publications as publications
            on files.revision = publications.revision and scored.{SCORE_DATE} = publications.{SCORE_DATE}
    """
    return View("score_revisions", body, comment, columns)
