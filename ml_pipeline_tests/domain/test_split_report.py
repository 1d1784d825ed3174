import dataclasses
import json
from datetime import UTC, date, datetime

import pytest

from ml_pipeline.domain.split_report import BlockReport, SplitReport, split_markdown, split_report_from_json

KNOWN_AT = datetime(2024, 3, 20, 17, 45, tzinfo=UTC)
TRAIN = BlockReport(
    "train", date(2024, 2, 18), date(2024, 3, 16), 28, rows=1240, labelled_rows=1234, positive_share=0.404,
    distinct={"shelf": 4, "number": 1234}, entities=1234, met_entity_share=1.0, met_row_share=1.0, early_labels=0,
    late_labels=31, overdue_labels=5, latest_label_known_at=KNOWN_AT,
)  # fmt: skip
TEST = dataclasses.replace(
    TRAIN, purpose="test", first=date(2024, 4, 20), last=date(2024, 5, 1), nights=12, rows=480, labelled_rows=480,
    entities=400, met_entity_share=0.253, met_row_share=0.5,
)  # fmt: skip
REPORT = SplitReport(date(2024, 5, 5), datetime(2024, 5, 4, 18, tzinfo=UTC), 4, 4, ("shelf", "number"), (TRAIN, TEST))
EMPTY = dataclasses.replace(
    TRAIN, labelled_rows=0, positive_share=None, distinct={}, entities=None, met_entity_share=None, met_row_share=None,
    latest_label_known_at=None,
)  # fmt: skip
TIMES_ALONE = dataclasses.replace(REPORT, entity=(), blocks=(EMPTY,))


@pytest.mark.parametrize("report", [REPORT, TIMES_ALONE])
def test_a_report_survives_json(report: SplitReport) -> None:
    text = json.dumps(report.as_json(), allow_nan=False)
    assert split_report_from_json(json.loads(text)) == report


def test_the_tables_say_what_each_block_holds() -> None:
    text = split_markdown(REPORT)
    assert "| train | 2024-02-18 | 2024-03-16 | 1,234 | 6 | 40.4% | 2024-03-20 17:45 | 31 | 5 |" in text
    assert "| block | shelf | number | entities | also in train | rows of those |" in text
    assert "| test | 4 | 1,234 | 400 | 25.3% | 50.0% |" in text
    assert "known by 2024-05-04 18:00 UTC, the cutoff of 2024-05-05" in text
    assert "parted by 4 unused nights" in text


def test_a_split_without_entities_or_labels_can_be_printed() -> None:
    text = split_markdown(TIMES_ALONE)
    assert "| train | 2024-02-18 | 2024-03-16 | 0 | 1,240 |  |  | 31 | 5 |" in text
    assert text.endswith("no entity comes back.")


def test_every_line_of_a_table_has_as_many_cells() -> None:
    for table in split_markdown(REPORT).split("\n\n"):
        cells = {line.count("|") for line in table.splitlines() if line.startswith("|")}
        assert len(cells) <= 1
