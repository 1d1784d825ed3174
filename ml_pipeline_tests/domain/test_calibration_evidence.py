import json

import numpy as np

from ml_pipeline.domain.calibration_evidence import Calibration, calibration_from_json, measure_calibration
from ml_pipeline.domain.night_bootstrap import draw_nights
from ml_pipeline.domain.reliability import slice_column


def measured(*, nights: int = 6, seed: int = 1) -> Calibration:
    generator = np.random.default_rng(4)
    said = generator.random(200)
    labels = (generator.random(200) < said).astype(float)
    dates = np.datetime64("2024-03-01") + np.arange(200) % nights
    shelves = slice_column("shelf", [("toys", "books", None)[place % 3] for place in range(200)])
    draws = draw_nights(dates, samples=50, seed=1)
    return measure_calibration(labels, said, draws, slices=[shelves], min_rows=67, seed=seed)


def test_every_part_is_measured_on_the_same_rows() -> None:
    found = measured()
    assert (found.rows, found.nights, found.overall.rows) == (200, 6, 200)
    assert sum(point.rows for point in found.points) == sum(found.probability_bars) == 200
    assert [(one.feature, one.value, one.rows) for one in found.slices] == [
        ("shelf", "books", 67), ("shelf", "not known", 66), ("shelf", "toys", 67),
    ]  # fmt: skip
    assert [one.finding == "too few rows" for one in found.slices] == [False, True, False]


def test_the_evidence_survives_json_also_where_it_is_not_known() -> None:
    for found in (measured(), measured(nights=1)):
        content = json.loads(json.dumps(found.as_json(), allow_nan=False))
        again = calibration_from_json(content)
        assert again.as_json() == content
        assert again.points[0].rows == found.points[0].rows
    assert measured(nights=1).as_json()["overall"]["low"] is None


def test_the_same_seed_gives_the_same_evidence() -> None:
    assert measured().as_json() == measured().as_json()
    assert measured(seed=2).errors != measured().errors
