"""The trees of a model as arrays, read from LightGBM's own text; importing LightGBM takes seconds, reading a text does not."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CATEGORICAL, DEFAULT_LEFT = 1, 2
ZERO_IS_MISSING, NAN_IS_MISSING = 1, 2
# What LightGBM takes for zero: kZeroThreshold, a float32.
ZERO = float(np.float32(1e-35))
_WORD_BITS = 32


@dataclass(frozen=True)
class Tree:
    """One tree of n nodes and n + 1 leaves, as in the text: a child c < 0 is leaf ``~c``, node 0 is the root.

    Attributes:
        feature, threshold, kind, left, right: of each node, shape (n,); ``kind`` is LightGBM's ``decision_type``.
        node_rows, leaf_rows: training rows that came by, shapes (n,) and (n + 1,).
        leaf_value: in log odds, shape (n + 1,).
        levels: of each node that splits a category, by node: whether a code goes left, shape (codes,).
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    kind: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    node_rows: NDArray[np.int64]
    leaf_rows: NDArray[np.int64]
    leaf_value: NDArray[np.float64]
    levels: dict[int, NDArray[np.bool_]]

    def rows_at(self, child: int) -> int:
        """Training rows that came to a node, or to a leaf (negative)."""
        return int(self.node_rows[child] if child >= 0 else self.leaf_rows[~child])

    def goes_left(self, node: int, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which of ``values`` of the node's feature, shape (rows,), go left; as LightGBM's own prediction decides."""
        kind = int(self.kind[node])
        if kind & CATEGORICAL:
            return _has_level(values, self.levels[node])
        missing = kind >> 2 & 3
        if missing == NAN_IS_MISSING:
            below = values <= self.threshold[node]
            return np.asarray(below | np.isnan(values) if kind & DEFAULT_LEFT else below)
        values = np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
        below = values <= self.threshold[node]
        if missing != ZERO_IS_MISSING:
            return np.asarray(below)
        return np.where(np.abs(values) <= ZERO, bool(kind & DEFAULT_LEFT), below)


def _has_level(values: NDArray[np.float64], levels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A missing value and a code beyond the known ones go right."""
    is_known = (values > -1) & (values < len(levels))
    return np.asarray(is_known & levels[np.where(is_known, values, 0).astype(np.int64)])


def trees_of(text: str) -> tuple[Tree, ...]:
    """The trees of a model of one class, in the order in which their values are added.

    Raises:
        ValueError: the text is none that LightGBM writes, or holds linear or averaged trees.
    """
    head, *blocks = text.split("\nTree=")
    if "num_tree_per_iteration=1\n" not in head or "\naverage_output" in head:
        raise ValueError("the trees are of more than one class, or averaged")
    try:
        return tuple(_tree(dict(line.split("=", 1) for line in block.splitlines() if "=" in line)) for block in blocks)
    except (KeyError, IndexError) as error:
        raise ValueError(f"a tree lacks {error}") from error


def _tree(block: dict[str, str]) -> Tree:
    if block.get("is_linear", "0") != "0":
        raise ValueError("linear trees are not read")
    words = _integers(block["cat_threshold"]) if block["num_cat"] != "0" else np.empty(0, np.int64)
    bounds = _integers(block["cat_boundaries"]) if block["num_cat"] != "0" else np.empty(0, np.int64)
    kind, threshold = _integers(block["decision_type"]), _numbers(block["threshold"])
    levels = {
        int(node): _bits(words[bounds[int(threshold[node])] : bounds[int(threshold[node]) + 1]])
        for node in np.flatnonzero(kind & CATEGORICAL)
    }
    return Tree(
        _integers(block["split_feature"]), threshold, kind, _integers(block["left_child"]),
        _integers(block["right_child"]), _integers(block["internal_count"]), _integers(block["leaf_count"]),
        _numbers(block["leaf_value"]), levels,
    )  # fmt: skip


def _bits(words: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray((words[:, None] >> np.arange(_WORD_BITS)) & 1, dtype=np.bool_).ravel()


def _integers(line: str) -> NDArray[np.int64]:
    return np.array(line.split(), dtype=np.int64)


def _numbers(line: str) -> NDArray[np.float64]:
    return np.array(line.split(), dtype=np.float64)
