"""Contrast by the formula of WCAG 2.1, written down here once more."""

import re

import pytest

from ml_pipeline.domain.replay_page_style import style

SHEET = style(5, ("0", "1"))
LIGHT, DARK = (
    dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", block)) for block in re.findall(r":root \{([^}]*)\}", SHEET)[:2]
)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("behind", ["paper", "card"])
def test_text_has_4_5_to_1_and_lines_have_3_to_1(theme, behind) -> None:
    for name in ("ink", "soft", "warn", "good", "c0"):
        assert contrast(theme[name], theme[behind]) >= 4.5, name
    for name in ("c1", "c2", "c3", "c4", "base"):
        assert contrast(theme[name], theme[behind]) >= 3, name


def test_both_themes_have_every_colour() -> None:
    assert set(DARK) >= set(LIGHT)


def test_each_policy_can_be_chosen_without_a_script() -> None:
    for key in ("0", "1"):
        assert f"body:has(#pick-{key}:checked)" in SHEET
    assert "prefers-color-scheme: dark" in SHEET
    assert "@media print" in SHEET
