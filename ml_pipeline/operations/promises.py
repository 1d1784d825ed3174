"""What a model promised when it was trained: its log loss, and the baseline's, on its own test block."""

from collections.abc import Mapping

from ml_pipeline.io.model_bundle import BundleError, read_bundle
from ml_pipeline.operations.site import Site


class ModelPromises:
    """The promises of the models of one installation; each bundle is opened once."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[str, Mapping[str, float]] = {}

    def log_loss(self, version: str, subject: str = "model") -> float | None:
        """Log loss of ``model`` or ``baseline``; of a refit that of its recipe. None for a bundle that is gone or damaged.

        A night is judged whoever answered it: what its model promised is missing then, the judgement is not.
        """
        if version not in self._known:
            self._known[version] = self._read(version)
        return self._known[version].get(subject)

    def _read(self, version: str) -> Mapping[str, float]:
        try:
            test = read_bundle(self._site.models, version).json("metrics.json")["test"]
            return {subject: float(test[subject]["log_loss"]) for subject in test}
        except (BundleError, OSError, KeyError):
            return {}
