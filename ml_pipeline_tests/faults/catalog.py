"""Every harness by name, in the order in which they run: short ones first."""

from collections.abc import Callable, Mapping

from ml_pipeline_tests.faults.analysts import stand_in_the_way
from ml_pipeline_tests.faults.backfilling import flip_the_champion
from ml_pipeline_tests.faults.bad_input import deliver_mutants, deliver_the_corpus
from ml_pipeline_tests.faults.bench import Bench
from ml_pipeline_tests.faults.by_tests import run_tests
from ml_pipeline_tests.faults.cold_starts import start_at_once
from ml_pipeline_tests.faults.fail_points import kill_at_each_step
from ml_pipeline_tests.faults.guarded_night import watch_a_night
from ml_pipeline_tests.faults.killing import kill_nights
from ml_pipeline_tests.faults.names import send_hostile_names
from ml_pipeline_tests.faults.outcome import Outcome
from ml_pipeline_tests.faults.pressure import press_both_stores
from ml_pipeline_tests.faults.promoting import promote_all_at_once
from ml_pipeline_tests.faults.publishing import ask_beside_a_writer, publish_at_once
from ml_pipeline_tests.faults.scoring_kills import kill_scorings
from ml_pipeline_tests.faults.sweeping import sweep_beside_readers
from ml_pipeline_tests.faults.time_zones import live_elsewhere
from ml_pipeline_tests.faults.whole_tree import lose_power
from ml_pipeline_tests.faults.zombies import wake_zombies

Harness = Callable[[Bench], tuple[Outcome, ...]]

HARNESSES: Mapping[str, Harness] = {
    "backfilling": flip_the_champion,
    "analysts": stand_in_the_way,
    "zombies": wake_zombies,
    "fail_points": kill_at_each_step,
    "publishing": publish_at_once,
    "reading": ask_beside_a_writer,
    "guarded_night": watch_a_night,
    "corpus": deliver_the_corpus,
    "mutants": deliver_mutants,
    "names": send_hostile_names,
    "sweeping": sweep_beside_readers,
    "promoting": promote_all_at_once,
    "time_zones": live_elsewhere,
    "pressure": press_both_stores,
    "cold_starts": start_at_once,
    "tests": run_tests,
    "killing": kill_nights,
    "whole_tree": lose_power,
    "scoring_kills": kill_scorings,
}
