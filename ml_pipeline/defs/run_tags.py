"""Tags by which a run is found in the UI's list: its night, the model that it made or used, the evidence that asked for it."""

from collections.abc import Sequence

import dagster as dg

NIGHT, MODEL_VERSION = "night", "model_version"
# The evidence that a run answers. The sensor counts runs by it, so the run that only found the evidence has another tag.
EVIDENCE = "evidence"
VERDICT, VERDICT_EVIDENCE = "verdict", "verdict_evidence"
BY_HAND = "by_hand"
_LONGEST = 255


def tag_run(context: dg.AssetExecutionContext, tags: dict[str, str]) -> None:
    """Add those of ``tags`` that are no empty text and that the run was not started with."""
    new = {name: text[:_LONGEST] for name, text in tags.items() if text and name not in context.run.tags}
    if new:
        context.instance.add_run_tags(context.run_id, new)


def in_words(names: Sequence[str]) -> str:
    """The first and the last of nights in order."""
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
