"""What the log says of published nights, and what a night was made from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ml_pipeline.nights import Night


@dataclass(frozen=True)
class PublishedNight:
    """What the log says of one night: its content, what it was made from, and its row counts."""

    content_hash: str
    inputs_hash: str
    rows: int
    facts: dict[str, int]


@dataclass(frozen=True)
class Publication:
    """One time that a night was published: in which commit, when, and with how many rows."""

    revision: int
    published_at: datetime
    night: Night
    rows: int


@dataclass(frozen=True)
class PublishResult:
    """What a publish changed. No commit was made when ``changed`` is empty (``version`` is then the old one)."""

    table: str
    version: int
    changed: tuple[Night, ...]
    unchanged: tuple[Night, ...]
    rows: int


@dataclass(frozen=True)
class NightInputs:
    """What a night was made from (a hash), and counts worth keeping beside its content."""

    inputs_hash: str
    facts: dict[str, int]

    @classmethod
    def made_from(cls, *parts: object) -> "NightInputs":
        """Inputs of a night that is made from ``parts`` (plain values and dates) and has no counts of its own."""
        text = json.dumps(parts, sort_keys=True, default=str)
        return cls(hashlib.sha256(text.encode()).hexdigest(), {})


def stale_nights(inputs: Mapping[Night, NightInputs], before: Mapping[Night, PublishedNight]) -> list[Night]:
    """Nights that were never published, or were made from something else than ``inputs`` says."""
    return [
        night
        for night in sorted(inputs)
        if night not in before or before[night].inputs_hash != inputs[night].inputs_hash
    ]
