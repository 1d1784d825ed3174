from ml_pipeline.io.backtest_plot import backtest_png

PANELS = {
    "log loss": {"model": [0.5, 0.4], "constant": [0.6, 0.6]},
    "ROC AUC": {"model": [0.7, 0.8], "constant": [0.5, 0.5]},
}


def test_equal_numbers_give_equal_bytes_and_others_do_not() -> None:
    first = backtest_png(["2024-04", "2024-05"], PANELS)
    assert first.startswith(b"\x89PNG")
    assert first == backtest_png(["2024-04", "2024-05"], PANELS)
    assert first != backtest_png(["2024-04", "2024-05"], PANELS | {"ROC AUC": {"model": [0.7, 0.6]}})
