"""How many rows of a scored night have a category that its model's training did not see: a count beside the night's content."""

from collections.abc import Mapping

import pyarrow as pa

from ml_pipeline.domain.feature_matrix import FeatureEncoder, encoder_from_json
from ml_pipeline.domain.other_levels import count_others
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.io.published_nights import NightInputs
from ml_pipeline.nights import Night

# Beside the versions of tables among a night's facts; no name of a table holds a colon.
_UNSEEN = "unseen:"


def category_columns(bundle: ModelBundle) -> list[str]:
    """Features of ``bundle`` that are categories."""
    encoder = _encoder(bundle)
    return [encoder.names[position] for position in encoder.category_positions]


def with_unseen_counts(
    bundle: ModelBundle, rows: pa.Table, inputs: Mapping[Night, NightInputs]
) -> dict[Night, NightInputs]:
    """``inputs`` whose facts also say, by column, how many of ``rows`` have a category that ``bundle`` did not see.

    ``rows`` are those of these nights, with ``score_date`` and the category columns.
    """
    counts = count_others(_encoder(bundle), rows)
    return {
        night: NightInputs(one.inputs_hash, one.facts | {f"{_UNSEEN}{name}": n for name, n in counts.get(night, {}).items()})
        for night, one in inputs.items()
    }  # fmt: skip


def unseen_counts(facts: Mapping[str, int]) -> dict[str, int]:
    """Rows of unseen categories by column, of the facts of one published night."""
    return {name.removeprefix(_UNSEEN): count for name, count in facts.items() if name.startswith(_UNSEEN)}


def table_versions(facts: Mapping[str, int]) -> dict[str, int]:
    """Versions of tables, of the facts of one published night."""
    return {name: version for name, version in facts.items() if not name.startswith(_UNSEEN)}


def _encoder(bundle: ModelBundle) -> FeatureEncoder:
    return encoder_from_json(bundle.json("feature_columns.json"))
