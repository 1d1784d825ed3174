"""Several models as one: trees whose sum is the mean of their log odds (bagging, Breiman, Machine Learning 1996)."""

import re
from collections.abc import Sequence

_TREE = re.compile(r"^Tree=\d+$", re.MULTILINE)
_SCALED = ("leaf_value=", "internal_value=")


def average_trees(texts: Sequence[str]) -> str:
    """LightGBM's text of one model that says the mean of what the models of ``texts`` say, in log odds.

    One text is what scoring, reasons and the trial of a bundle know how to read; so its trees are all those of the models,
    each leaf divided by the number of models. The models must be of the same columns and objective.
    """
    import lightgbm

    if len(texts) == 1:
        return texts[0]
    head, _, tail = _parts(texts[0])
    trees = [_scaled(tree, len(texts)) for text in texts for tree in _parts(text)[1]]
    numbered = [_TREE.sub(f"Tree={number}", tree, count=1) for number, tree in enumerate(trees)]
    # LightGBM reads the trees side by side, from these sizes in bytes.
    sizes = " ".join(str(len(tree.encode())) for tree in numbered)
    text = (
        re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, count=1, flags=re.MULTILINE) + "".join(numbered) + tail
    )
    # Written once more by LightGBM, so that what it says of all trees (importances) is true of all of them.
    return str(lightgbm.Booster(model_str=text).model_to_string())


def _parts(text: str) -> tuple[str, list[str], str]:
    """What stands before the trees, each tree, and what stands after them."""
    first, end = text.index("\nTree=0\n") + 1, text.index("end of trees\n")
    starts = [first + found.start() for found in _TREE.finditer(text[first:end])]
    trees = [text[start:stop] for start, stop in zip(starts, [*starts[1:], end], strict=True)]
    return text[:first], trees, text[end:]


def _scaled(tree: str, models: int) -> str:
    return "\n".join(_divided(line, models) if line.startswith(_SCALED) else line for line in tree.split("\n"))


def _divided(line: str, models: int) -> str:
    """A tree without a split has no inner values: nothing stands after the sign."""
    name, _, values = line.partition("=")
    return f"{name}={' '.join(repr(float(value) / models) for value in values.split())}"
