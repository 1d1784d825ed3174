"""Every audit of one training, on the rows that it used."""

from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_model import learned_from_its_blocks, shuffled_target, training_is_blind
from ml_pipeline.operations.audit_proxies import proxy_alarm
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import Split
from ml_pipeline.operations.tuned_training import tuning_of, with_tuning


def audit_training(site: Site, split: Split, bundle: ModelBundle) -> dict[str, Audit]:
    """Audit the training on ``split`` that made ``bundle``; the answer is by the name of the audit.

    Raises:
        ValueError: the SQL has changed since.
    """
    site = with_tuning(site, tuning_of(bundle))
    return {
        "shuffled_target_is_chance": shuffled_target(site, split),
        "training_is_blind": training_is_blind(site, split),
        "learned_from_its_blocks": learned_from_its_blocks(site, split, bundle),
        "no_proxy": proxy_alarm(
            site, split, bundle, limit=site.project.audits.proxy_share, most_lost=site.project.audits.proxy_lift_lost
        ),
    }
