import pytest
from pydantic import ValidationError

from ml_pipeline.contracts.serving import ServingContract, ServingPolicy, parse_policy


@pytest.mark.parametrize("text", ["as_of", "current", "pinned=2024-05-05-8b94d661d8"])
def test_a_policy_reads_back_as_it_is_written_on_the_rows(text: str) -> None:
    assert str(parse_policy(text)) == text


@pytest.mark.parametrize(
    "text", ["", "newest", "pinned", "pinned=", "pinned=../../x", "pinned=a b", "current=v", "as_of=v"]
)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (policy|version)"):
        parse_policy(text)


def test_a_version_belongs_to_a_pinned_policy_and_to_no_other() -> None:
    for kind, version in (("pinned", None), ("current", "v"), ("as_of", "v")):
        with pytest.raises(ValueError, match="no other policy has one"):
            ServingPolicy(kind, version)  # type: ignore[arg-type]


def test_bounds_that_could_hold_nothing_or_everything_are_refused() -> None:
    for terms in ({"mean_odds_factor": 1.0}, {"share_margin": 0.0}, {"history_nights": 0}, {"unknown": 1}):
        with pytest.raises(ValidationError):
            ServingContract.model_validate(terms)
