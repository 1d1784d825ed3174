"""Repairs what was published: nights by the champion that now holds, or back to what was said before."""

from collections.abc import Sequence

from ml_pipeline.contracts.serving import SCORES, ServingPolicy
from ml_pipeline.io.table_store import NightInputs, PublishResult
from ml_pipeline.nights import Night
from ml_pipeline.operations.publish_catalog import publish_catalog
from ml_pipeline.operations.publish_scores import publish_scores
from ml_pipeline.operations.score import ScoredNights, score
from ml_pipeline.operations.site import Site
from ml_pipeline.operations.stale_scores import explain_stale, policies_of
from ml_pipeline.operations.standing_scores import RESTORATIONS

REPAIRS = "repairs"


def repair_nights(site: Site, nights: Sequence[Night], *, reason: str) -> ScoredNights:
    """Score ``nights`` again with the champion that now holds, whatever they stand under; recorded with its reason.

    For nights that a withdrawn model scored: the ledger still says that it was their champion, and as of the night it
    would score them again, so the policy is ``current``, and stands on each row. The ladder applies. A later run as of the
    night leaves repaired nights alone. One commit; nights whose content comes out the same make none.

    Raises:
        ValueError: the reason is empty, or no night is named. What ``score`` raises; nothing was published then.
    """
    if not reason.strip():
        raise ValueError("a repair needs a reason: say why the nights are published again")
    done = score(site, nights, policy=ServingPolicy("current"), replaces=True)
    site.ledger(REPAIRS).append({
        "nights": [str(night) for night in sorted(set(nights))], "reason": reason.strip(),
        "changed": [str(night) for night in done.published.changed],
        "served": {str(night): served.version for night, served in done.served_by_night.items()},
    })  # fmt: skip
    return done


def rescore_stale(site: Site, nights: Sequence[Night]) -> list[ScoredNights]:
    """Score again those of ``nights`` whose inputs changed, each under the policy that it was published under.

    What a person restored stays. Nothing stale is no commit, and an empty list.
    """
    done = []
    for policy, its_nights in policies_of(site, nights).items():
        stale = [stale.night for stale in explain_stale(site, its_nights, policy) if stale.settled is None]
        if stale:
            done.append(score(site, stale, policy=policy))
    return done


def restore_revision(site: Site, nights: Sequence[Night], revision: int, *, reason: str) -> PublishResult:
    """Make ``nights`` hold again what they held as of ``revision`` of ``scores``; nothing is computed.

    The rows are those of that revision, byte for byte, with the inputs hash of that time, in one new commit. What came
    between stays in the log. The restoration is recorded first: a scoring leaves a restored night alone until it is asked
    to replace it.

    Raises:
        ValueError: the reason is empty, or there is no such revision. LookupError: a night had not been published then.
        FileNotFoundError: files of the revision are no longer kept. OvertakenError: a night was published meanwhile.
    """
    newest = site.tables.version(SCORES)
    if not reason.strip():
        raise ValueError("a restoration needs a reason: say why an earlier answer is the better one")
    if not 0 <= revision <= newest:
        raise ValueError(
            f"scores has revisions 0 to {newest}, not {revision}; ml-pipeline scores revisions lists those of a night"
        )
    wanted = sorted(set(nights))
    before = site.tables.published(SCORES, wanted)
    then = site.tables.published(SCORES, wanted, version=revision)
    if missing := [night for night in wanted if night not in then]:
        raise LookupError(
            f"{len(missing)} of the nights had not been published by revision {revision} (first: {missing[0]})"
        )
    rows = site.tables.read(SCORES, wanted, version=revision)
    # Noted before the commit: if this process dies between the two, the entry describes no content that stands.
    site.ledger(RESTORATIONS).append({
        "revision": revision, "reason": reason.strip(),
        "content": {str(night): then[night].content_hash for night in wanted},
    })  # fmt: skip
    inputs = {night: NightInputs(then[night].inputs_hash, then[night].facts) for night in wanted}
    result = publish_scores(site, rows, inputs, before)
    publish_catalog(site)
    return result
