"""How nights are served: the policy of a run, the rungs of the ladder, and the bounds beyond which a night waits."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCORES = "scores"
SHADOW_SCORES = "shadow_scores"
SHADOW_REVIEW = "monitoring/shadow_review"

Rung = Literal["champion", "previous_champion", "baseline"]
ShadowRole = Literal["challenger", "predecessor"]
PolicyKind = Literal["as_of", "current", "pinned"]

# A bundle's version becomes a folder's name, and part of the text on each row.
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class ServingContract(BaseModel):
    """What a night's scores are held against before they are published, and how long a shadow runs.

    Attributes:
        history_nights: how many nights back the history of a night reaches.
        least_history_nights: with fewer scored nights in it there is no history, and nothing is held.
        mean_odds_factor: the odds of the mean probability may leave the range of the history by at most this factor.
        share_margin: the share of rows that reach the threshold may leave its range by at most this much.
        shadow_nights: matured nights that a model must have scored in the shadow before they are evidence.
        probation_nights: nights that a fresh champion's predecessor scores in the shadow.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_nights: int = Field(default=28, ge=1, le=366)
    least_history_nights: int = Field(default=7, ge=2)
    mean_odds_factor: float = Field(default=4.0, gt=1)
    share_margin: float = Field(default=0.6, gt=0)
    shadow_nights: int = Field(default=14, ge=5)
    probation_nights: int = Field(default=28, ge=5)


@dataclass(frozen=True)
class ServingPolicy:
    """Which model a night is given.

    Attributes:
        kind: ``as_of``: the champion of the night; ``current``: the present champion, whatever the night;
            ``pinned``: ``version``. The last two may know the future of an old night, so each row says its policy.
        version: of the bundle; for ``pinned`` alone.
    """

    kind: PolicyKind = "as_of"
    version: str | None = None

    def __post_init__(self) -> None:
        if (self.kind == "pinned") != (self.version is not None):
            raise ValueError("policy pinned needs the version of a bundle, and no other policy has one")
        if self.version is not None and not _VERSION.fullmatch(self.version):
            raise ValueError(f"{self.version!r} is no version of a bundle")

    def __str__(self) -> str:
        return self.kind if self.version is None else f"{self.kind}={self.version}"


AS_OF_POLICY = ServingPolicy()


def parse_policy(text: str) -> ServingPolicy:
    """The policy written as ``as_of``, ``current`` or ``pinned=<version>``.

    Raises:
        ValueError: it is none of these.
    """
    kind, _, version = text.partition("=")
    if kind == "pinned" and version:
        return ServingPolicy("pinned", version)
    if text == "current":
        return ServingPolicy("current")
    if text == "as_of":
        return AS_OF_POLICY
    raise ValueError(f"{text!r} is no policy; write as_of, current or pinned=<version>")


@dataclass(frozen=True)
class Served:
    """Who answered a night: the rung, the version of the bundle behind it, and the policy as the rows have it."""

    rung: Rung
    version: str
    policy: str
