"""The script that MLflow runs to serve a registered version to others: models from code, nothing is unpickled.

It lies beside a copy of the bundle, and of the few modules that it imports. The pipeline itself never loads through it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

from ml_pipeline.domain.scoring import raw_scores
from ml_pipeline.io.model_bundle import read_bundle
from ml_pipeline.operations.bundle_scorer import require_golden, scorer_of


class ServedModel(PythonModel):  # type: ignore[misc]
    """Feature rows in, calibrated probabilities out: the very ones that the pipeline publishes."""

    def load_context(self, context: Any) -> None:
        """Verify the bundle by its hashes and its golden rows, then keep its scorer."""
        folder = Path(context.artifacts["bundle"])
        bundle = read_bundle(folder.parent, folder.name)
        self._scorer = scorer_of(bundle)
        require_golden(bundle, self._scorer)

    # Without hints: MLflow takes those that are there for a signature of its own making, and warns.
    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002
        """Probabilities of a DataFrame of features, shape (rows,); None and NaN are missing values."""
        columns = {
            column.name: pa.array(
                model_input[column.name].astype(object),
                pa.string() if column.contract.type == "category" else pa.float64(),
                from_pandas=True,
            )
            for column in self._scorer.encoder.columns
        }
        if not len(model_input):  # LightGBM divides by the number of rows
            return np.empty(0)
        matrix = self._scorer.encoder.transform(pa.table(columns))
        return self._scorer.calibrator.probability(raw_scores(self._scorer, matrix, threads=1))


set_model(ServedModel())
