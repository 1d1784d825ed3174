"""Names the features that tell the outcome by themselves, and raises the alarm where the model hangs on them."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.proxies import FeatureStrength, TelltaleGroup, feature_strengths, telltale_groups
from ml_pipeline.domain.roc import roc_auc
from ml_pipeline.domain.scoring import Scorer, raw_scores
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.operations.audit import Audit
from ml_pipeline.operations.audit_model import require_same_features
from ml_pipeline.operations.bundle_contents import load_scorer
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.training_rows import LabelledRows, Split


@dataclass(frozen=True)
class NamedFeature:
    """A feature that tells, alone, nearly as much as the model.

    Attributes:
        strength: what it tells by itself.
        share_lost: of the model's lift over chance, what is lost where this feature's values are shuffled.
    """

    strength: FeatureStrength
    share_lost: float

    def __str__(self) -> str:
        alone = self.strength
        return (
            f"{alone.feature}: ROC AUC {alone.roc_auc:.4f} alone, {alone.missing_roc_auc:.4f} by being missing, "
            f"{alone.share_of_lift:.0%} of the model's lift, of which {self.share_lost:.0%} is lost without it"
        )


@dataclass(frozen=True)
class ProxyAudit(Audit):
    """Attributes:
    model_auc: area under the ROC curve of the model on its test block.
    named: features that reach the limit, for a person to look at, the strongest first.
    exempt: the baseline's feature, which is meant to tell nearly as much as a model.
    share_lost: of the model's lift, what is lost where the values of all named features are shuffled.
    telltales: groups of rows that tell the outcome by having, or by lacking, a value.
    """

    model_auc: float
    named: tuple[NamedFeature, ...]
    exempt: FeatureStrength
    share_lost: float
    telltales: tuple[TelltaleGroup, ...]


def proxy_alarm(
    site: Site, split: Split, bundle: ModelBundle, *, limit: float = 0.95, most_lost: float = 0.5
) -> ProxyAudit:
    """Hold each feature alone against the model, on the test block.

    A feature is named if it reaches ``limit`` of the model's lift over chance; the baseline's feature never is. On a hard
    problem honest features reach it too, and stand in for each other, so a name is for a person to look at. It is an
    alarm if the model hangs on what is named: if it loses ``most_lost`` of its lift where the values of the named
    features are shuffled among the rows. Telltale groups are an alarm by themselves. A trial is a feature.

    Raises:
        ValueError: the SQL has changed since the bundle was trained.
    """
    require_same_features(site, bundle)
    features = bundle.feature_set.features
    train, test = split.rows.block(split.blocks.train), split.rows.block(split.blocks.test)
    trial = _Trial(load_scorer(bundle), test, site.threads)
    model_auc = trial.roc_auc_without(())
    strengths = feature_strengths(
        (train.rows, train.labels), (test.rows, test.labels), features, model_auc=model_auc
    )  # fmt: skip
    baseline = site.project.baseline.feature
    exempt = next(strength for strength in strengths if strength.feature == baseline)
    named = tuple(
        NamedFeature(strength, trial.share_lost((strength.feature,), model_auc))
        for strength in strengths
        if strength.share_of_lift >= limit and strength.feature != baseline
    )
    lost = trial.share_lost([feature.strength.feature for feature in named], model_auc)
    telltales = telltale_groups(test.rows, test.labels, test.nights, features)
    alarms = [str(feature) for feature in named] if lost >= most_lost else []
    alarms += [_in_words(group, float(test.labels.mean())) for group in telltales]
    return ProxyAudit(
        len(features), tuple(f"bundle {bundle.version}: {told}" for told in alarms),
        model_auc=model_auc, named=named, exempt=exempt, share_lost=lost, telltales=telltales,
    )  # fmt: skip


class _Trial:
    """A model on its test block, with the values of some features shuffled among the rows."""

    def __init__(self, scorer: Scorer, test: LabelledRows, threads: int) -> None:
        self._scorer, self._labels, self._threads = scorer, test.labels, threads
        self._matrix: NDArray[np.float32] = scorer.encoder.transform(test.rows)
        # One order for all: features that say the same go on saying the same, and cannot stand in for each other.
        self._order = np.random.default_rng(len(test.labels)).permutation(len(test.labels))

    def roc_auc_without(self, features: Collection[str]) -> float:
        matrix = self._matrix.copy()
        places = [self._scorer.encoder.names.index(feature) for feature in features]
        matrix[:, places] = self._matrix[self._order][:, places]
        return roc_auc(self._labels, raw_scores(self._scorer, matrix, threads=self._threads))

    def share_lost(self, features: Collection[str], model_auc: float) -> float:
        if not features or model_auc <= 0.5:
            return 0.0
        return (model_auc - self.roc_auc_without(features)) / (model_auc - 0.5)


def _in_words(group: TelltaleGroup, base: float) -> str:
    return (
        f"{group.feature} {group.value} tells the outcome: {group.positive_share:.1%} of its {group.rows} rows on "
        f"{group.nights} nights are positive, {base:.1%} of all. A value that is filled in once the outcome is known does so"
    )
