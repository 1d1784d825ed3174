"""The leakage audits as blocking checks: what each tries on the nights of a run, or on the training of a night."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import dagster as dg

from ml_pipeline.defs.project import sql_project
from ml_pipeline.defs.reporting import run_or_refuse, sample_nights
from ml_pipeline.io.oracle import load_oracle
from ml_pipeline.nights import Night
from ml_pipeline.operations.audit import Audit, rebuild_alone
from ml_pipeline.operations.audit_cells import check_cells
from ml_pipeline.operations.audit_nights import poisoned_future, rows_read_are_known, shuffled_nights
from ml_pipeline.operations.audit_proxies import ProxyAudit
from ml_pipeline.operations.audit_scores import train_score_skew
from ml_pipeline.operations.site import Site

_SHOWN_VIOLATIONS = 20

NightAudit = Callable[[Site, Sequence[Night]], Audit]


@dataclass(frozen=True)
class Tried:
    """An audit of nights, and what its check says of itself."""

    description: str
    audit: NightAudit


FEATURE_AUDITS = {
    "same_as_the_night_alone": Tried(
        "Nights rebuilt from partitions up to their own, with every later one out of reach, give the same bytes.",
        rebuild_alone,
    ),
    "blind_to_a_poisoned_future": Tried(
        "Nights rebuilt in one range with later nights that land nothing but hostile rows give the same bytes.",
        poisoned_future,
    ),
    "same_in_any_order": Tried(
        "Nights rebuilt in one range and alone, in random order, from files in random order give the same bytes.",
        shuffled_nights,
    ),
    "read_only_what_was_known": Tried(
        "Every row that the gate shows to a night was known by its cutoff and lies in the reader's lookback.",
        rows_read_are_known,
    ),
}
if load_oracle(sql_project().folder) is not None:
    FEATURE_AUDITS["same_as_the_oracle"] = Tried(
        "Random cells equal what the use case's oracle makes of the landed rows that were known, in plain pandas.",
        partial(check_cells, cells=sql_project().project.audits.oracle_cells),
    )
SCORE_AUDITS = {
    "no_train_score_skew": Tried(
        "Features of scored nights, made as a training makes them, give the published probabilities bit for bit.",
        train_score_skew,
    ),
}


TRAINING_AUDITS = {
    "sound_split": "Blocks lie apart, nothing is used twice, and every label was known at the cutoff of the training.",
    "shuffled_target_is_chance": "Trained on labels dealt out at random, a model scores the test block at chance.",
    "training_is_blind": "Hostile rows after the last block that trees may know change neither encoder nor trees.",
    "learned_from_its_blocks": "Encoder, reference, mean label and calibrator come from their own blocks and no others.",
    "no_proxy": "The model does not hang on a feature that tells the outcome alone, by its value or by being missing.",
}


def audit_specs(asset: str, audits: Mapping[str, Tried]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=True, description=tried.description)
        for name, tried in audits.items()
    ]


def audited(
    site: Site, audits: Mapping[str, Tried], nights: Sequence[Night], asset: str
) -> Iterator[dg.AssetCheckResult]:
    """Run ``audits`` on a sample of ``nights``, each as one check result of ``asset``.

    Those of one night run side by side: each waits for DuckDB most of the time. A range takes the memory of one at a time.
    """
    nights = sample_nights(nights, site.project.audits.sampled_nights)
    with ThreadPoolExecutor(site.threads if len(nights) == 1 else 1) as pool:
        found = {name: pool.submit(run_or_refuse, partial(tried.audit, site, nights)) for name, tried in audits.items()}
        for name, audit in found.items():
            yield check_result(name, audit.result(), asset, nights=[*map(str, nights)])


def check_result(name: str, audit: Audit, asset: str, **facts: float | str | list[str]) -> dg.AssetCheckResult:
    """The result of one audit: how much was tried, how much did not hold, and the first of it in words."""
    return dg.AssetCheckResult(
        check_name=name, asset_key=dg.AssetKey(asset.split("/")), passed=not audit.violations,
        metadata={"trials": audit.trials, "violations": len(audit.violations),
                  "violated": list(audit.violations[:_SHOWN_VIOLATIONS]), **facts},
    )  # fmt: skip


def proxy_facts(audit: Audit) -> dict[str, float | str | list[str]]:
    """Which features tell nearly as much as the model, for a person to look at, whether or not it is an alarm."""
    if not isinstance(audit, ProxyAudit):
        return {}
    exempt = audit.exempt
    return {
        "named_features": [str(feature) for feature in audit.named],
        "model_roc_auc": audit.model_auc,
        "share_of_lift_lost_without_them": audit.share_lost,
        "exempt_baseline": f"{exempt.feature}: {exempt.share_of_lift:.0%} of the model's lift alone",
    }
