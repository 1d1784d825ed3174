from ml_pipeline.domain.gate_table import comparison_table
from ml_pipeline_tests.domain.test_gate import verdict


def test_the_table_holds_the_numbers_and_intervals_of_the_verdict() -> None:
    numbers = verdict().numbers
    text = comparison_table(numbers)
    assert text.startswith("Nights 2024-04-20 to 2024-05-03.")
    for other, gain in numbers["gain_over"].items():
        interval = " | ".join(f"{gain[name]:.4f}" for name in ("mean", "low", "high", "confidence"))
        assert f"| {other} | {interval} | 2,800 | 14 |" in text
    for role in ("challenger", "baseline", "champion", "constant", "logistic"):
        assert f"| {role} | {numbers['metrics'][role]['log_loss']:.4f} |" in text
    assert "| shelf, champion | rows |" in text
    assert "log loss gained where shelf is" in text
    for table in text.split("\n\n")[1:]:
        assert len({line.count("|") for line in table.splitlines()}) == 1


def test_what_is_not_known_and_what_would_break_a_cell_is_written_out() -> None:
    gain = {"mean": 0.1, "low": None, "high": None, "confidence": 0.95, "rows": 9, "nights": 3}
    numbers = {
        "first_night": "2024-05-01", "last_night": "2024-05-03", "metrics": {}, "slices": {"shelf": {"a|b\n<i>": gain}},
    }  # fmt: skip
    assert "| a\\|b &lt;i> | 0.1000 | not known | not known | 0.9500 | 9 | 3 |" in comparison_table(numbers)


def test_without_a_comparison_there_are_no_numbers() -> None:
    assert comparison_table({}) == "Nothing was compared."
