import numpy as np

from ml_pipeline.domain.contributions import contributions_of_row
from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline_tests.small_model import small_model


def test_base_and_contributions_are_the_log_odds_of_the_score() -> None:
    model = small_model()
    names = model.scorer.encoder.names
    for row in range(0, len(model.matrix), 300):
        matrix = model.matrix[row : row + 1]
        pushes = contributions_of_row(model.scorer, matrix)
        (score,) = raw_scores(model.scorer, matrix, threads=1)
        assert np.isclose(pushes.log_odds, np.log(score / (1 - score)), rtol=0, atol=1e-9)
        assert tuple(pushes.by_feature) == names
        assert abs(pushes.by_feature["rate"] + pushes.by_feature["copy_of_rate"]) > abs(pushes.by_feature["shelf"])
