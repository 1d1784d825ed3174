from datetime import date

import numpy as np
import pyarrow as pa

from ml_pipeline.contracts.tables import BACKTEST_SCHEMA
from ml_pipeline.domain.backtest_entries import Predictions, entries
from ml_pipeline.domain.backtest_table import backtest_markdown
from ml_pipeline.operations.backtest_report import draw_backtest, report_path
from ml_pipeline.operations.site import Site


def test_the_report_is_the_table_in_words_and_a_picture(shop_site: Site) -> None:
    nights = np.repeat(np.datetime64("2024-05-01") + np.arange(4), 10)
    labels = np.tile([0.0, 1.0], 20)
    subjects = {"model": np.linspace(0.1, 0.9, 40), "constant": np.full(40, 0.5)}
    made = entries(date(2024, 5, 1), Predictions(40, nights, labels, subjects), is_pooled=False, samples=9, seed=1)
    rows = pa.Table.from_pylist(made, schema=BACKTEST_SCHEMA)
    draw_backtest(shop_site, rows)
    assert report_path(shop_site).read_text(encoding="utf-8") == backtest_markdown(rows.to_pylist())
    picture = report_path(shop_site).with_suffix(".png").read_bytes()
    draw_backtest(shop_site, rows)
    assert picture.startswith(b"\x89PNG")
    assert report_path(shop_site).with_suffix(".png").read_bytes() == picture
