from datetime import date, timedelta

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.defs.reporting import REFUSALS, image, passed, refused, row_counts, run_or_refuse, sample_nights
from ml_pipeline.io.model_bundle import BundleError
from ml_pipeline.operations.score import ScoreAuditError

FIRST = date(2024, 4, 1)


@pytest.mark.parametrize("error", [BundleError("damaged"), ScoreAuditError("unfit"), LookupError("no such night")])
def test_a_refusal_is_a_failure_that_nobody_retries(error: Exception) -> None:
    def work() -> None:
        raise error

    with pytest.raises(dg.Failure, match=error.args[0]) as caught:
        run_or_refuse(work)
    assert caught.value.allow_retries is False
    assert caught.value.__cause__ is error


def test_what_may_pass_is_left_to_the_retries() -> None:
    def work() -> None:
        raise OSError("busy")

    assert not issubclass(OSError, REFUSALS)
    with pytest.raises(OSError, match="busy"):
        run_or_refuse(work)


def test_work_that_is_not_refused_answers() -> None:
    assert run_or_refuse(lambda: 7) == 7


def test_a_refused_check_says_why_and_ends_the_step() -> None:
    check, failure = refused("fit_to_publish", ValueError("12 keys twice"))
    assert (check.check_name, check.passed) == ("fit_to_publish", False)
    assert check.metadata["reason"].value == "12 keys twice"
    assert failure.description == "fit_to_publish: 12 keys twice"
    assert failure.allow_retries is False
    assert passed("fit_to_publish", rows=3).metadata["rows"].value == 3


def test_row_counts_are_told_by_night() -> None:
    assert row_counts({FIRST: 12}) == {FIRST: {"dagster/row_count": 12}}


def test_an_image_is_shown_in_place() -> None:
    assert image("roc", b"\x89PNG") == "![roc](data:image/png;base64,iVBORw==)"


@given(length=st.integers(1, 400), wanted=st.integers(1, 12), seed=st.randoms(use_true_random=False))
def test_samples_are_the_same_whatever_the_order_and_hold_both_ends(length: int, wanted: int, seed: object) -> None:
    nights = [FIRST + timedelta(days=day) for day in range(length)]
    shuffled = list(nights)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    sampled = sample_nights(shuffled, wanted)
    assert sampled == sample_nights(nights, wanted) == sorted(set(sampled))
    assert {nights[0], nights[-1]} <= set(sampled) <= set(nights)
    assert len(sampled) <= wanted + 1
