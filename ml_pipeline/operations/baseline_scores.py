"""The last rung: rows of ``scores`` from the baseline rates that a bundle carries, for the rows of the spine."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.serving import SCORES
from ml_pipeline.contracts.source import SCORE_DATE
from ml_pipeline.contracts.tables import scores_schema
from ml_pipeline.domain.decision import cost_threshold, decide_rows
from ml_pipeline.domain.scoring import ranks
from ml_pipeline.domain.serving import baseline_answer
from ml_pipeline.io.model_bundle import BundleError, open_damaged_bundle
from ml_pipeline.io.sql_project import SPINE
from ml_pipeline.io.table_store import PublishedNight
from ml_pipeline.nights import Night, contiguous_runs
from ml_pipeline.operations.promote import PROMOTIONS
from ml_pipeline.operations.site import Site

_RATES = "baseline.parquet"


@dataclass(frozen=True)
class BaselineScores:
    """Rows of ``scores``, the rows of the spine that they answer, and the bundle whose rates they are.

    ``read`` holds the Delta version of every landed table that the spine was built from: reproducing starts there.
    """

    rows: pa.Table
    spine: pa.Table
    version: str
    read: Mapping[str, int]


def baseline_scores(
    site: Site, nights: Sequence[Night], wanted: str, policy: str, *, read: Mapping[str, int] | None = None
) -> BaselineScores:  # fmt: skip
    """Score ``nights`` by the bundled rates alone: no trees, no calibrator and no features are read.

    The rates are those of bundle ``wanted``, else of the newest champion whose rates are whole. They are hashed against
    the manifest that the version names, so a damaged bundle may still give them and a tampered one may not. Landed tables
    are opened as of the versions ``read``, by default as they are now.

    Raises:
        BundleError: no bundle has whole rates. SqlRefusedError: the spine cannot be built.
    """
    version, rates = _bundled_rates(site, wanted)
    key = list(site.project.entity_key)
    read = _landed_versions(site) if read is None else read
    spine = _spine(site, nights, read)
    said = baseline_answer(spine, rates, site.project.baseline.keys)
    threshold = cost_threshold(site.project.decision)
    acts = decide_rows(
        site.project.decision, threshold, spine.select([SCORE_DATE, *key]), probability=said.probabilities,
        score=said.probabilities,
    ).acts  # fmt: skip
    nothing = pa.nulls(spine.num_rows, pa.string())
    columns = {
        **{name: spine.column(name) for name in (SCORE_DATE, *key, "cutoff_at")},
        "score": pa.array(said.probabilities), "probability": pa.array(said.probabilities),
        "rank": pa.array(ranks(spine.column(SCORE_DATE).to_numpy(), said.probabilities)), "decision": pa.array(acts),
        "reason_1": pa.array(said.reasons, pa.string()), "reason_2": nothing, "reason_3": nothing,
    }  # fmt: skip
    constants = {
        "threshold": threshold, "served_by": "baseline", "model_name": site.project.name, "model_version": version,
        "feature_set_version": site.sql.feature_set_version, "backfill_policy": policy,
    }  # fmt: skip
    columns |= {name: pa.repeat(pa.scalar(value), spine.num_rows) for name, value in constants.items()}
    schema = scores_schema([spine.schema.field(name) for name in key])
    rows = pa.table([columns[field.name].cast(field.type) for field in schema], schema=schema)
    return BaselineScores(rows, spine, version, read)


def baseline_scores_again(site: Site, night: Night, published: PublishedNight) -> pa.Table:
    """The rows of ``scores`` of a ``published`` night that the baseline answered, made again from what it was made from.

    Raises:
        BundleError: the spine or the rates of then are gone. FileNotFoundError: files of the recorded versions are.
    """
    columns = ["model_version", "feature_set_version", "threshold", "backfill_policy"]
    stands = site.tables.read(SCORES, [night], columns).slice(0, 1).to_pylist()[0]
    present = {"feature_set_version": site.sql.feature_set_version, "threshold": cost_threshold(site.project.decision)}
    if changed := [f"{name} {stands[name]}, now {now}" for name, now in present.items() if stands[name] != now]:
        raise BundleError(f"the project has changed since ({'; '.join(changed)}); check the former one out")
    version = stands["model_version"]
    made = baseline_scores(site, [night], version, stands["backfill_policy"], read=published.facts or None)
    if made.version != version:
        raise BundleError(f"the baseline rates of bundle {version} are damaged or gone; restore the bundle")
    return made.rows


def _landed_versions(site: Site) -> dict[str, int]:
    sources = site.sql.lookbacks(site.sql.needed_for([SPINE]))
    return {f"raw/{source}": site.tables.version(f"raw/{source}") for source in sources}


def _spine(site: Site, nights: Sequence[Night], read: Mapping[str, int]) -> pa.Table:
    runs = contiguous_runs(nights, longest=31)
    built = pa.concat_tables([site.runner(versions=read).build(SPINE, first, last) for first, last in runs])
    wanted = built.filter(pa.array(np.isin(built.column(SCORE_DATE).to_numpy(), np.array(nights, "datetime64[D]"))))
    return wanted.sort_by([(name, "ascending") for name in (SCORE_DATE, *site.project.entity_key)]).combine_chunks()


def _bundled_rates(site: Site, wanted: str) -> tuple[str, pa.Table]:
    refusals = []
    for version in _candidates(site, wanted):
        try:
            return version, open_damaged_bundle(site.models, version).table(_RATES)
        except (BundleError, FileNotFoundError) as error:
            refusals.append(str(error))
    raise BundleError(f"no bundle has whole baseline rates: {'; '.join(refusals)}")


def _candidates(site: Site, wanted: str) -> Iterator[str]:
    yield wanted
    promoted = [str(entry["challenger"]) for entry in site.ledger(PROMOTIONS).entries() if entry["is_promoted"]]
    yield from dict.fromkeys(version for version in reversed(promoted) if version != wanted)
