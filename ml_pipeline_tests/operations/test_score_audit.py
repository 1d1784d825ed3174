from datetime import date

import pytest

from ml_pipeline.contracts.serving import Served
from ml_pipeline.io.table_store import NightInputs
from ml_pipeline.nights import nights_between
from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.score_audit import HOLDS, ScoresHeldError, accept_held, hold_the_unlike
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.second_model import promoted, second_version, unlike_answer

NEXT = nights_between(date(2024, 5, 13), date(2024, 5, 14))


def test_an_unlike_night_waits_for_a_person_and_what_was_published_stands(scored_shop_copy: Site) -> None:
    """Nothing is wrong with its rows, and no other rung is asked: a surprise is not a fault."""
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    second = second_version(site, first, unlike_answer)
    promoted(site, second, "2024-05-12")
    before, rows = site.tables.version(SCORES), site.tables.read(SCORES, SHOP_SCORED)
    nights = (SHOP_SCORED[-1], *NEXT)
    with pytest.raises(ScoresHeldError, match="HOLD: 1 of 3 nights are unlike") as hold:
        score(site, nights)
    for word in (
        "table scores",
        "night 2024-05-12",
        "mean probability 0.9",
        "scores accept --night 2024-05-12",
        "Nothing was",
    ):
        assert word in str(hold.value)
    with pytest.raises(ScoresHeldError):
        score(site, nights)
    assert len(site.ledger(HOLDS).entries()) == len(site.ledger("alerts").entries()) == 1
    assert (site.tables.version(SCORES), site.tables.read(SCORES, SHOP_SCORED)) == (before, rows)

    with pytest.raises(LookupError, match="no scores of night 2024-05-13 are held"):
        accept_held(site, NEXT[0], reason="looked at it")
    with pytest.raises(ValueError, match="needs a reason"):
        accept_held(site, nights[0], reason=" ")
    accept_held(site, nights[0], reason="everything is on sale")
    assert score(site, nights).published.changed == nights
    third = second_version(site, first, lambda files: unlike_answer(files) | {"model_card.md": b"another"})
    promoted(site, third, "2024-05-12")
    site.tables.publish(SCORES, rows, {night: NightInputs("", {}) for night in SHOP_SCORED}, key=["order_id"])
    with pytest.raises(ScoresHeldError):  # other inputs: what was accepted was another answer
        score(site, nights[:1])


def test_a_range_is_judged_as_its_nights_would_be_and_by_nights_before_alone(scored_shop_copy: Site) -> None:
    """The last of the scored nights is turned round: alone, and in a range with good nights before and after it."""
    site = scored_shop_copy
    rows = site.tables.read(SCORES, SHOP_SCORED)
    frame = rows.to_pandas()
    frame["probability"] = frame["probability"].where(frame["score_date"] != SHOP_SCORED[-1], 0.999)
    place = rows.schema.get_field_index("probability")
    turned = rows.set_column(place, "probability", [frame["probability"].to_numpy()])
    served = dict.fromkeys(SHOP_SCORED, Served("champion", "v", "as_of"))
    inputs = {night: NightInputs(str(night), {}) for night in SHOP_SCORED}
    messages = []
    for nights in (SHOP_SCORED, SHOP_SCORED[-1:]):
        mine = turned.filter([night in nights for night in turned["score_date"].to_pylist()])
        with pytest.raises(ScoresHeldError) as hold:
            hold_the_unlike(site, mine, served, {night: inputs[night] for night in nights})
        messages.append(str(hold.value).split("(night ")[1])
    assert messages[0] == messages[1]
    hold_the_unlike(site, rows, served, inputs)
    hold_the_unlike(site, turned, dict.fromkeys(SHOP_SCORED, Served("baseline", "v", "as_of")), inputs)
