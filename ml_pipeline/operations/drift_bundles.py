"""Whose training rows the drift of a night is measured against: the champion's, or those of the bundle that stood in for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ml_pipeline.contracts.serving import AS_OF_POLICY
from ml_pipeline.domain.serving import Wanted, rungs
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.io.sql_template import SqlRefusedError
from ml_pipeline.nights import Night
from ml_pipeline.operations.bundle_trial import require_tried
from ml_pipeline.operations.serving_plan import plan_serving
from ml_pipeline.operations.site import Site


@dataclass(frozen=True)
class DriftBundles:
    """Attributes:
    nights_by_bundle: each bundle that can be used, with the nights whose drift is measured against it.
    missing: nights for which there is none, with the version of their champion.
    reasons: why the champion is not used; of every night of another bundle or of none.
    """

    nights_by_bundle: tuple[tuple[ModelBundle, tuple[Night, ...]], ...]
    missing: Mapping[Night, str]
    reasons: Mapping[Night, str]


def drift_bundles(site: Site, nights: Sequence[Night]) -> DriftBundles:
    """Choose as the ladder of scoring does: champion, previous champion, none (the baseline was trained on no features).

    Raises:
        NoChampionError: a night lies before the first promotion.
    """
    bundles: dict[str, ModelBundle] = {}
    nights_by_version: dict[str, list[Night]] = {}
    missing: dict[Night, str] = {}
    reasons: dict[Night, str] = {}
    for wanted, its_nights in plan_serving(site, nights).nights_by_wanted.items():
        bundle, damages = _first_sound(site, wanted)
        if damages:
            reasons |= dict.fromkeys(its_nights, "; ".join(damages))
        if bundle is None:
            missing |= dict.fromkeys(its_nights, wanted.version)
        else:
            bundles[bundle.version] = bundle
            nights_by_version.setdefault(bundle.version, []).extend(its_nights)
    found = tuple((bundles[version], tuple(sorted(those))) for version, those in nights_by_version.items())
    return DriftBundles(found, missing, reasons)


def _first_sound(site: Site, wanted: Wanted) -> tuple[ModelBundle | None, list[str]]:
    """The first rung whose bundle can be used, and what is wrong with those above it."""
    damages: list[str] = []
    for rung, version in rungs(wanted, AS_OF_POLICY):
        if rung == "baseline":
            break
        try:
            return _sound(site, version), damages
        except (BundleError, SqlRefusedError) as error:
            damages.append(f"{rung} {version}: {error}")
    return None, damages


def _sound(site: Site, version: str) -> ModelBundle:
    bundle = read_bundle(site.models, version)
    require_tried(bundle)
    _ = bundle.feature_set  # a project that cannot be read is refused here, where another bundle can step in
    return bundle
