"""A run that was taken for dead wakes up after its successor has published: nothing of it is published."""

import shutil

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import score
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.scorers import NEW, Place, Scorer, hashes
from ml_pipeline_tests.second_model import promoted, second_version

# The successor has another champion, so its answer is another one.
_WAITS = Place("ml_pipeline.operations.score", "publish_scores", "before", "wait")


def wake_zombies(bench: Bench) -> tuple[Outcome, ...]:
    """Each has computed its rows and stands before the door while its successor goes through."""
    trials, wrong = bench.trials(full=20, quick=1), []
    for number in range(trials):
        site = bench.copy(str(number))
        zombie = Scorer(site, _WAITS)
        zombie.wait_until_it_waits()
        first = str(current_champion(site))
        promoted(site, second_version(site, first), str(NEW[0]))
        score(site, NEW)
        after, version = hashes(site), site.tables.version("scores")
        code, told = zombie.end()
        if code != 1 or not told.startswith("OvertakenError"):
            wrong.append(f"zombie {number} was not refused: {code}, {told}")
        if (hashes(site), site.tables.version("scores")) != (after, version):
            wrong.append(f"zombie {number} overwrote its successor")
        shutil.rmtree(site.data.parent)
    return (Outcome(23, "a run taken for dead publishes after its successor", trials, tuple(wrong)),)
