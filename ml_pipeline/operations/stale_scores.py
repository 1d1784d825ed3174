"""Which nights would be scored anew, and why: nights whose inputs changed, by content hash."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ml_pipeline.contracts.serving import AS_OF_POLICY, Served, ServingPolicy, parse_policy
from ml_pipeline.domain.serving import Wanted
from ml_pipeline.io.model_bundle import BundleError, ModelBundle, read_bundle
from ml_pipeline.io.table_store import stale_nights
from ml_pipeline.nights import Night
from ml_pipeline.operations.build import stale_features
from ml_pipeline.operations.serve import bundle_inputs
from ml_pipeline.operations.serving_plan import plan_serving
from ml_pipeline.operations.site import Site, features_table
from ml_pipeline.operations.standing_scores import StandingScores


@dataclass(frozen=True)
class StaleNight:
    """A night that its policy would score anew.

    Attributes:
        night: the night.
        reasons: what changed: never scored, landed data, features, model, policy, rung.
        settled: why a run leaves it alone all the same, unless it is asked to replace; None if it does not.
    """

    night: Night
    reasons: tuple[str, ...]
    settled: str | None = None


def stale_scores(site: Site, nights: Sequence[Night]) -> list[Night]:
    """Those of ``nights`` that a scoring as of the night would publish anew; what a person settled is not among them."""
    return [stale.night for stale in explain_stale(site, nights) if stale.settled is None]


def explain_stale(
    site: Site, nights: Sequence[Night], policy: ServingPolicy = AS_OF_POLICY
) -> list[StaleNight]:  # fmt: skip
    """Those of ``nights`` whose inputs under ``policy`` are other than what they were published from, with reasons.

    A night that stands unchanged under a damaged champion is not stale: no rung could better it.

    Raises:
        NoChampionError: a night has no champion.
    """
    standing = StandingScores(site, nights)
    found: list[StaleNight] = []
    for wanted, its_nights in plan_serving(site, nights, policy).nights_by_wanted.items():
        served = Served("champion", wanted.version, str(policy))
        try:
            bundle = read_bundle(site.models, wanted.version)
        except BundleError as error:
            found.extend(_without_bundle(standing, served, its_nights, str(error)))
            continue
        reasons = _reasons(site, bundle, standing, (served, wanted), its_nights)
        found.extend(StaleNight(night, told, standing.settled(night, policy)) for night, told in reasons.items())
    return sorted(found, key=lambda stale: stale.night)


def policies_of(site: Site, nights: Sequence[Night]) -> dict[ServingPolicy, list[Night]]:
    """``nights`` by the policy that they were published under; as of the night where they never were, or were restored."""
    standing = StandingScores(site, nights)
    grouped: dict[ServingPolicy, list[Night]] = {}
    for night in sorted(set(nights)):
        served = standing.served.get(night)
        grouped.setdefault(parse_policy(served.policy) if served else AS_OF_POLICY, []).append(night)
    return grouped


def _without_bundle(
    standing: StandingScores, served: Served, nights: Sequence[Night], reason: str
) -> Iterator[StaleNight]:  # fmt: skip
    for night in nights:
        stands = standing.served.get(night)
        if stands is None or (stands.rung == "champion" and stands.version != served.version):
            told = "never scored" if stands is None else f"model: {stands.version} scored it, {served.version} should"
            yield StaleNight(night, (f"{told}; {reason}",), standing.settled(night, parse_policy(served.policy)))


def _reasons(
    site: Site, bundle: ModelBundle, standing: StandingScores, asked: tuple[Served, Wanted], nights: Sequence[Night]
) -> dict[Night, tuple[str, ...]]:
    served, wanted = asked
    unbuilt = set(stale_features(site, nights, sql=bundle.feature_set))
    built = [night for night in nights if night not in unbuilt]
    version = site.tables.version(features_table(bundle.feature_set))
    fresh = bundle_inputs(site, bundle, built, served, wanted, version=version)
    stale = {*unbuilt, *stale_nights(fresh, standing.published)}
    return {
        night: tuple(_why(standing, served, night, is_unbuilt=night in unbuilt))
        for night in nights if night in stale
    }  # fmt: skip


def _why(standing: StandingScores, served: Served, night: Night, *, is_unbuilt: bool) -> Iterator[str]:
    stands = standing.served.get(night)
    if night not in standing.published:
        yield "never scored"
        return
    if is_unbuilt:
        yield "landed data: its features have to be built again"
    if stands is None:
        yield "it has no rows"
        return
    if stands.rung != "champion":
        yield f"rung: {stands.rung} {stands.version} stood in for {served.version}"
    elif stands.version != served.version:
        yield f"model: {stands.version} scored it, {served.version} should"
    if stands.policy != served.policy:
        yield f"policy: {stands.policy}, not {served.policy}"
    if not is_unbuilt and (stands.rung, stands.version, stands.policy) == ("champion", served.version, served.policy):
        yield "features: their content is another than it was scored from"
