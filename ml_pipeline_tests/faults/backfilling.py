"""A backfill of thirty nights in three runs, another champion promoted in its middle: one model for each night, by its policy."""

import shutil
from datetime import date

from ml_pipeline.contracts.serving import ServingPolicy
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.second_model import promoted, second_version

NIGHTS = nights_between(date(2024, 4, 25), date(2024, 5, 24))
_KINDS = ("as_of", "current", "pinned")


def flip_the_champion(bench: Bench) -> tuple[Outcome, ...]:
    """The promotion comes after the first third, or after the second; it takes effect from the first night on."""
    wrong: list[str] = []
    flips = (10,) if bench.is_quick else (10, 20)
    for kind in _KINDS:
        for flip in flips:
            wrong += [f"{kind}, flipped after {flip} nights: {words}" for words in _backfilled(bench, kind, flip)]
    trials = len(_KINDS) * len(flips) * len(NIGHTS)
    return (Outcome(8, "nights of a backfill whose champion changes in the middle", trials, tuple(wrong)),)


def _backfilled(bench: Bench, kind: str, flip: int) -> list[str]:
    site = bench.copy(f"{kind}_{flip}")
    first = str(current_champion(site))
    promoted(site, first, str(NIGHTS[0]))
    second = second_version(site, first)
    policy = ServingPolicy("pinned", first) if kind == "pinned" else ServingPolicy(kind)  # type: ignore[arg-type]
    for start in range(0, len(NIGHTS), 10):
        if start == flip:
            promoted(site, second, str(NIGHTS[0]))
        score(site, NIGHTS[start : start + 10], policy=policy, replaces=True, backfill="one")
    rows = site.tables.read(SCORES, NIGHTS, ["model_version", "backfill_policy"]).to_pylist()
    found = {(row["model_version"], row["backfill_policy"]) for row in rows}
    wrong = [] if found == {(first, str(policy))} else [f"{len(found)} models and policies: {sorted(found)}"]
    wrong += [] if len(rows) == 40 * len(NIGHTS) else [f"{len(rows)} rows"]
    # The flip was real: who asks without the pin gets the other model.
    score(site, NIGHTS[:1], policy=ServingPolicy("current"), replaces=True)
    (now,) = {row["model_version"] for row in site.tables.read(SCORES, NIGHTS[:1], ["model_version"]).to_pylist()}
    wrong += [] if now == second else ["the promotion in the middle had no effect on anybody"]
    shutil.rmtree(site.data.parent)
    return wrong
