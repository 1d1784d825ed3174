"""The page is parsed by the standard library's parser; the report is synthetic, from a seeded generator."""

import math
from dataclasses import fields, is_dataclass, replace

import pytest

from ml_pipeline.domain.replay_page import replay_page
from ml_pipeline.domain.replay_report import ReplayReport
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import synthetic_report

HOSTILE = "</script></title></style><script>alert(1)</script><img src='https://example.org/x' onerror=\"x\">&"
MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def report() -> ReplayReport:
    return synthetic_report()


@pytest.fixture(scope="module")
def text(report) -> str:
    return replay_page(report)


@pytest.fixture(scope="module")
def page(text) -> Parsed:
    return Parsed(text)


def poisoned(value):
    """The same report with every free text replaced."""
    if is_dataclass(value):
        kept = {"act", "truth", "found", "focus", "reference", "rival"}
        return replace(
            value, **{each.name: poisoned(getattr(value, each.name)) for each in fields(value) if each.name not in kept}
        )
    if isinstance(value, tuple):
        return tuple(map(poisoned, value))
    if isinstance(value, dict):
        return {poisoned(key): poisoned(one) for key, one in value.items()}
    return HOSTILE if isinstance(value, str) else value


def test_hostile_text_stays_text_wherever_a_report_has_text(report) -> None:
    short = synthetic_report(90)
    assert len(short.incidents) == 1
    parsed, plain = Parsed(replay_page(poisoned(short))), Parsed(replay_page(short))
    assert parsed.open == []
    assert sum(tag == "script" for tag, _ in parsed.tags) == 1
    assert {tag for tag, _ in parsed.tags} <= {tag for tag, _ in plain.tags}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    assert parsed.text.count("alert(1)") > 5 * 90, "the reasons, versions and verdicts of every night are shown"


def test_nothing_is_fetched_and_only_the_page_s_own_script_may_run(text, page) -> None:
    assert page.open == []
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"link", "img", "iframe", "object", "embed", "form", "base", "image", "use", "audio", "video"}
    links = [one["href"] or "" for tag, one in page.tags if tag == "a"]
    assert links
    assert all(link.startswith("#") for link in links)
    assert not [
        name for _, one in page.tags for name in one if name in {"src", "srcset", "xlink:href", "data", "style"}
    ]
    assert not {"http:", "https:", "//", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval("} & {
        each
        for each in ("http:", "https:", "//", "@import", "url(", "fetch(", "XMLHttp", "innerHTML", "eval(")
        if each in text
    }
    (policy,) = [one["content"] for tag, one in page.tags if tag == "meta" and "http-equiv" in one]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "'unsafe-inline'" not in policy.split("script-src")[1]


def test_equal_reports_are_equal_bytes_and_the_file_is_small(text) -> None:
    assert replay_page(synthetic_report()) == text
    assert len(text.encode()) < 2_000_000


def test_every_link_has_its_target_and_every_name_is_given_once(page) -> None:
    assert len(page.ids) == len(set(page.ids))
    targets = {(one["href"] or "").removeprefix("#") for tag, one in page.tags if tag == "a"}
    assert targets <= set(page.ids)


def test_every_night_stands_in_a_table_with_its_numbers(report, page) -> None:
    keyed = [*((str(place), year) for place, year in enumerate(report.clean)), ("x0", report.disturbed[0])]
    for key, year in keyed:
        for place, night in enumerate(year.nights):
            cells = page.row(f"n-{key}-{place}")
            assert cells[:3] == [str(night.night), night.model_version, night.served_by]
            assert cells[-3:] == [night.verdict, night.severity, night.reasons]
            if night.rows:
                shown = [float(cells[column].replace(MINUS, "-")) for column in (5, 7, 9)]
                assert shown == pytest.approx([night.cost / night.rows, night.log_loss, night.brier], abs=5e-5)


def test_every_decision_stands_in_a_table_and_in_the_chart(report, page) -> None:
    ids = set(page.ids)
    for key, year in enumerate(report.clean):
        asked = [place for place, night in enumerate(year.nights) if night.verdict != "nothing"]
        assert {each for each in ids if each.startswith(f"d-{key}-")} == {f"d-{key}-{place}" for place in asked}
        assert {each for each in ids if each.startswith(f"m-{key}-")} == {f"m-{key}-{place}" for place in asked}
        for place in asked:
            assert year.nights[place].reasons in page.row(f"d-{key}-{place}")


def test_every_model_and_every_incident_is_told(report, page) -> None:
    for model in (model for year in report.clean for model in year.models):
        (row, *_) = [
            cells for cells in page.rows_headed(model.version) if cells[0] == model.version and len(cells) == 9
        ]
        assert row[1:3] == [str(model.made_on), model.act]
        assert row[6] == ("promoted" if model.is_promoted else "refused")
        assert row[8] == "; ".join(model.reasons)
    for incident in report.incidents:
        (row,) = page.rows_headed(incident.title)
        assert row[5] == (str(incident.detected_on) if incident.detected_on else "never")
        assert ("(right)" in row[4]) is incident.is_right
        assert incident.words in page.text


def test_numbers_nobody_knows_are_dashes_never_nan(report) -> None:
    unknown = math.nan
    years = tuple(
        replace(
            year, log_loss=unknown, roc_auc=unknown, saved={},
            nights=tuple(replace(night, cost=unknown, log_loss=unknown, drifted_share=unknown, rows=0) for night in year.nights[:40]),
        )
        for year in report.clean
    )  # fmt: skip
    page = Parsed(replay_page(replace(report, clean=years, disturbed=(), false_alarms_per_100_nights=unknown)))
    assert "nan" not in page.text.lower()
    assert page.rows_headed("Log loss")[0][1:] == ["\N{EN DASH}"] * 5
    drawn = [one["d"] or "" for tag, one in page.tags if tag == "path"]
    assert not [path for path in drawn if "nan" in path]
    assert "No night has this number." in page.text


def test_a_replay_without_incidents_or_with_one_policy_says_so(report) -> None:
    calm = Parsed(replay_page(replace(report, incidents=(), disturbed=())))
    assert "No incident was injected" in calm.text
    assert "were noticed" not in calm.text
    alone = Parsed(replay_page(synthetic_report(names=("drift",))))
    assert "No other policy was replayed" in alone.text
    assert "Cost saved" not in alone.text
    assert len([one for _, one in alone.tags if "lane" in (one.get("class") or "").split()]) == 2, (
        "the year, undisturbed and disturbed"
    )


def test_a_single_night_and_no_policy_at_all_still_make_a_page(report) -> None:
    one = Parsed(replay_page(synthetic_report(1)))
    assert "n-0-0" in one.ids
    none = Parsed(replay_page(replace(report, clean=(), disturbed=(), incidents=())))
    assert "no policy was replayed" in none.text
