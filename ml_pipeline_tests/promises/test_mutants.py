"""Every known way to leak is built on purpose, and the audit that is there for it must see it. On the made-up shop."""

from pathlib import Path

import pytest

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.audit import Audit, rebuild_alone
from ml_pipeline.operations.audit_model import learned_from_its_blocks, shuffled_target, training_is_blind
from ml_pipeline.operations.audit_nights import poisoned_future, rows_read_are_known, shuffled_nights
from ml_pipeline.operations.audit_proxies import proxy_alarm
from ml_pipeline.operations.audit_scores import train_score_skew
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.mutants import of_nights, of_scores, of_training
from ml_pipeline_tests.mutants.workshop import Mutant, Workshop

MUTANTS = (*of_nights.MUTANTS, *of_training.MUTANTS, *of_scores.MUTANTS)


@pytest.fixture(scope="module")
def workshop(scored_shop: Site, mlflow_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(scored_shop, mlflow_template, tmp_path_factory.mktemp("mutants"))


def test_every_mutant_is_caught_by_the_audit_that_is_there_for_it(workshop: Workshop) -> None:
    survivors = [mutant.name for mutant in MUTANTS if not _is_caught(mutant, workshop)]
    print(f"mutants caught {len(MUTANTS) - len(survivors)} of {len(MUTANTS)}")
    assert survivors == []


def _is_caught(mutant: Mutant, workshop: Workshop) -> bool:
    found = mutant.audit(workshop)
    print(f"{mutant.name}: {found.trials} / {len(found.violations)} {found.violations[:1]}")
    return any(mutant.word in told for told in found.violations)


def test_the_same_audits_find_nothing_in_the_sound_shop(workshop: Workshop) -> None:
    site, split, bundle = workshop.sound, workshop.split, workshop.bundle
    nights = [of_nights.NIGHT, *SHOP_SCORED[:2]]
    audits: dict[str, Audit] = {
        "alone": rebuild_alone(site, nights),
        "poisoned future": poisoned_future(site, nights),
        "shuffled": shuffled_nights(site, nights),
        "rows read": rows_read_are_known(site, nights_between(of_nights.NIGHT, SHOP_SCORED[-1])),
        "shuffled target": shuffled_target(site, split),
        "blind": training_is_blind(site, split),
        "blocks": learned_from_its_blocks(site, split, bundle),
        "proxies": proxy_alarm(site, split, bundle),
        "skew": train_score_skew(site, SHOP_SCORED),
    }
    for name, audit in audits.items():
        print(f"{name}: {audit.trials} / {len(audit.violations)}")
    assert {name: audit.violations for name, audit in audits.items() if audit.violations} == {}
    assert min(audit.trials for audit in audits.values()) > 0
