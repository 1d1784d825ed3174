"""The sound shop; scores that part from training stand in promises/test_mutants.py."""

from datetime import date

import pyarrow.compute as pc
import pytest

from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.operations.audit_scores import train_score_skew
from ml_pipeline.operations.score import score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED


def test_scores_are_what_a_training_would_have_computed(scored_shop: Site) -> None:
    audit = train_score_skew(scored_shop, SHOP_SCORED)
    rows, features = 8 * 40, 12
    # Each cell is tried as scoring and as training got it, and each probability once.
    assert (audit.trials, audit.violations) == (rows * features * 2 + rows, ())


def test_a_night_without_labels_yet_is_tried_as_scoring_got_it(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, date(2024, 5, 24)
    score(site, [night])
    unknown = {later: NightInputs("", {}) for later in site.tables.published("labels") if later > night}
    site.tables.publish("labels", site.tables.read("labels", []), unknown, key=["order_id"])
    audit = train_score_skew(site, [night])
    assert (audit.trials, audit.violations) == (40 * 12 + 40, ())


def test_a_score_that_is_missing_is_told(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[1]
    rows = site.tables.read("scores", [night]).slice(1)
    site.tables.publish("scores", rows, {night: NightInputs("", {})}, key=["order_id"])
    (told,) = train_score_skew(site, [night]).violations
    assert told.startswith("39 scores for 40 rows, or for others (model 2024-05-05-")


def test_what_the_baseline_served_is_not_the_models(scored_shop_copy: Site) -> None:
    site, night = scored_shop_copy, SHOP_SCORED[1]
    rows = site.tables.read("scores", [night])
    served = pc.if_else(pc.is_valid(rows["served_by"]), "baseline", "")
    rows = rows.set_column(rows.schema.get_field_index("served_by"), "served_by", served)
    site.tables.publish("scores", rows, {night: NightInputs("", {})}, key=["order_id"])
    assert train_score_skew(site, [night]).trials == 0


def test_a_night_that_was_never_scored_is_refused_by_name(scored_shop: Site) -> None:
    with pytest.raises(LookupError, match="scores has not been built for 1 .*2024-05-20"):
        train_score_skew(scored_shop, [date(2024, 5, 20)])
