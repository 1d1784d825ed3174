"""How often evidence that grows night by night may be looked at, and how sure each look must be.

Who looks every night finds a difference between equals sooner or later (Armitage, McPherson and Rowe, JRSS A 1969). So the
looks are fixed beforehand and share the error: each may be wrong with half of what one look could (Bonferroni; Dunn, JASA
1961). It is a spending of the error over looks (Lan and DeMets, Biometrika 1983) that holds however the looks hang together.
"""

from dataclasses import dataclass

LOOKS = 2


@dataclass(frozen=True)
class Look:
    """A look that was fixed beforehand.

    Attributes:
        number: 1 for the first.
        least_nights: matured nights that it needs.
        is_last: there is no other after it.
    """

    number: int
    least_nights: int

    @property
    def is_last(self) -> bool:
        return self.number == LOOKS


def next_look(taken: int, *, shadow_nights: int) -> Look | None:
    """The look after ``taken`` ones, None after the last. The second needs twice as many nights as the first."""
    return Look(taken + 1, (taken + 1) * shadow_nights) if taken < LOOKS else None


def look_confidence(confidence: float) -> float:
    """The one-sided confidence of each look, so that all of them together keep ``confidence``."""
    return 1 - (1 - confidence) / LOOKS
