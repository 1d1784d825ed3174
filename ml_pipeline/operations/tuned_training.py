"""Which tuning a training uses: the newest one whose night is not after its own, or none."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ml_pipeline.contracts.tuning import Value
from ml_pipeline.domain.splits import Blocks
from ml_pipeline.domain.tuning import apply_parameters
from ml_pipeline.io.model_bundle import ModelBundle
from ml_pipeline.nights import Night
from ml_pipeline.operations.site import Site

TUNINGS = "tunings"
TUNING_FILE = "tuning.json"


@dataclass(frozen=True)
class AppliedTuning:
    """What a training takes from a tuning.

    Attributes:
        night: the night that it was made as of.
        content_hash: of its record, trial table and all, without clock readings.
        last_used_night: the last night whose rows it looked at.
        parameters: what it chose; empty if the project's own were kept.
    """

    night: Night
    content_hash: str
    last_used_night: Night
    parameters: Mapping[str, Value | None]

    def as_json(self) -> dict[str, Any]:
        return {
            "night": str(self.night), "content_hash": self.content_hash, "last_used_night": str(self.last_used_night),
            "parameters": dict(self.parameters),
        }  # fmt: skip


def newest_tuning(site: Site, night: Night) -> AppliedTuning | None:
    """The tuning of the latest night up to ``night``, of several the one that was recorded last; None if there is none.

    A tuning of a later night is none for an earlier training: it has seen what that one may not know.
    """
    entries = [entry for entry in site.ledger(TUNINGS).entries() if Night.fromisoformat(entry["night"]) <= night]
    if not entries:
        return None
    return tuning_from_json(max(entries, key=lambda entry: (entry["night"], entry["number"])))


def tuning_from_json(content: Mapping[str, Any]) -> AppliedTuning:
    """Read what a ledger entry, or a bundle, says of a tuning."""
    return AppliedTuning(
        Night.fromisoformat(content["night"]), content["content_hash"],
        Night.fromisoformat(content["last_used_night"]), dict(content["parameters"]),
    )  # fmt: skip


def tuning_of(bundle: ModelBundle) -> AppliedTuning | None:
    """The tuning that ``bundle`` was trained with, None if none."""
    return tuning_from_json(bundle.json(TUNING_FILE)) if TUNING_FILE in bundle.manifest["files"] else None


def with_tuning(site: Site, tuning: AppliedTuning | None) -> Site:
    """``site`` with the parameters of ``tuning`` in its project, so that whatever trains from it uses them."""
    if tuning is None:
        return site
    training = apply_parameters(site.project.training, tuning.parameters)
    return replace(site, sql=replace(site.sql, project=site.project.model_copy(update={"training": training})))


def require_unseen(tuning: AppliedTuning | None, blocks: Blocks) -> None:
    """Raise ValueError if the tuning looked at nights after the train block: they chose the parameters they would judge."""
    if tuning is not None and tuning.last_used_night > blocks.train.last:
        raise ValueError(
            f"the tuning of {tuning.night} used nights up to {tuning.last_used_night}, the train block ends on "
            f"{blocks.train.last}; the blocks in project.yml were lengthened since: run ml-pipeline tune again"
        )
