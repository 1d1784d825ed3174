import math

from ml_pipeline.domain.replay_page_words import between, counted, decimal, percent, signed

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"


def test_numbers_are_written_one_way() -> None:
    assert decimal(1234567.891, 0) == "1,234,568"
    assert decimal(-0.12345) == f"{MINUS}0.1235"
    assert signed(3.0, 1) == "+3.0"
    assert percent(0.1234).replace("\N{NO-BREAK SPACE}", " ") == "12.3 %"
    assert between(-1, 2, 0) == f"{MINUS}1 to +2"
    assert (counted(1, "night"), counted(2, "night")) == ("1 night", "2 nights")


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert [decimal(-0.00001), signed(0.00001), signed(-0.00001), signed(0.0)] == ["0.0000"] * 4


def test_what_nobody_knows_is_a_dash() -> None:
    for value in (math.nan, math.inf, -math.inf):
        assert decimal(value) == signed(value) == percent(value) == DASH
