from dataclasses import replace

from ml_pipeline.domain.replay_page_tables import NIGHT_COLUMNS, decisions_table, models_table, nights_table
from ml_pipeline.domain.replay_page_years import clean_years
from ml_pipeline_tests.domain.parsed_page import Parsed
from ml_pipeline_tests.domain.synthetic_replay import night_at, synthetic_report

NEVER, MONTHLY, _, RECALIBRATE = clean_years(synthetic_report(100))


def test_a_decision_leads_to_its_mark_and_tells_what_became_of_it() -> None:
    parsed = Parsed(decisions_table(MONTHLY, is_open=True))
    assert parsed.row("d-1-61")[0] == str(night_at(61))
    assert parsed.row("d-1-61")[-1] == "monthly_02 refused"
    assert ("a", {"href": "#m-1-61"}) in parsed.tags
    assert ("open" in dict(parsed.tags)["details"]) is True


def test_a_policy_that_never_asked_is_told_so() -> None:
    parsed = Parsed(decisions_table(NEVER, is_open=False))
    assert "0 decisions" in parsed.text
    assert "It never asked for anything." in parsed.text
    assert "open" not in dict(parsed.tags)["details"]


def test_lineage_names_the_model_whose_trees_were_kept_and_who_answered() -> None:
    parsed = Parsed(models_table(RECALIBRATE))
    (made,) = parsed.rows_headed("recalibrate_01")
    assert made[3] == "recalibrate_00"
    assert made[7] == f"{night_at(60)} to {night_at(99)}"
    model = replace(RECALIBRATE.year.models[0], served_from=None, served_until=None)
    shown = replace(RECALIBRATE, year=replace(RECALIBRATE.year, models=(model,)))
    assert Parsed(models_table(shown)).rows_headed("recalibrate_00")[0][7] == "\N{EN DASH}"


def test_the_script_s_columns_stand_where_it_reads_them() -> None:
    wanted = {
        0: "Night",
        1: "Model",
        3: "Rows",
        5: "Cost a row",
        7: "Log loss",
        9: "Brier",
        10: "Drifted",
        13: "Verdict",
        15: "Reasons",
    }
    assert {place: NIGHT_COLUMNS[place] for place in wanted} == wanted
    assert len(Parsed(nights_table(NEVER)).row("n-0-5")) == len(NIGHT_COLUMNS) == 16
