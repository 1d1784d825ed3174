"""TreeSHAP values of many rows, exact, from tables that are made once a model.

A leaf's push on a feature depends on a row only through which of the features on the leaf's path let the row by: 2 to the
power of their number patterns (Yang, Fast TreeSHAP, 2021, algorithm v2). Neighbouring leaves share one table here, whose
pattern holds the decisions of the subtree above them. A row then costs a few thousand look-ups instead of a walk over all
paths of all trees. The weights of Lundberg et al. (Nature Machine Intelligence 2020) are the integral of a polynomial,
which Gauss-Legendre points give exactly.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.trees import Tree, trees_of

_SHARED_BITS = 9
# 128 MB of tables: a tree of long paths would take the machine's memory instead of time.
_MOST_CELLS = 2**24

# Decisions that must all hold: a node, and whether it goes left.
Conditions = tuple[tuple[int, bool], ...]


@dataclass(frozen=True)
class _Leaves:
    """Neighbouring leaves of a tree: ``pushes[i, pattern]`` in log odds on ``features[i]``; bit k of a pattern is ``bits[k]``."""

    features: tuple[int, ...]
    bits: tuple[Conditions, ...]
    pushes: NDArray[np.float64]


@dataclass(frozen=True)
class TreeShap:
    """The tables of all trees of one model."""

    column_count: int
    trees: tuple[tuple[Tree, tuple[_Leaves, ...]], ...]

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Contributions in log odds of shape (rows, columns); those of a row do not depend on the other rows."""
        found = np.zeros((self.column_count, len(matrix)))
        columns: dict[int, NDArray[np.float64]] = {}
        scratch = np.empty(len(matrix))
        for tree, groups in self.trees:
            for feature in set(tree.feature.tolist()) - set(columns):
                columns[feature] = matrix[:, feature].astype(np.float64)
            left = [tree.goes_left(node, columns[int(feature)]) for node, feature in enumerate(tree.feature)]
            for leaves in groups:
                pattern = _patterns(leaves.bits, left)
                for feature, pushes in zip(leaves.features, leaves.pushes, strict=True):
                    np.take(pushes, pattern, out=scratch, mode="clip")
                    found[feature] += scratch
        return found.T


def tree_shap(trees_text: str, column_count: int) -> TreeShap | None:
    """The tables of a model; None if its paths are so long that they would not pay, or for trees that are not read here."""
    try:
        trees = trees_of(trees_text)
    except ValueError:
        return None
    plans = [[*_groups(tree)] for tree in trees]
    cells = sum(len(group.features) << len(group.bits) for plan in plans for group in plan)
    if cells > _MOST_CELLS:
        return None
    asked = [[[*_asked(tree, group)] for group in plan] for tree, plan in zip(trees, plans, strict=True)]
    pushes = iter(_pushes_of([leaf for of_tree in asked for leaves in of_tree for leaf in leaves]))
    tables = [
        tuple(_tabled(group, [(leaf, next(pushes)) for leaf in leaves]) for group, leaves in zip(*both, strict=True))
        for both in zip(plans, asked, strict=True)
    ]
    return TreeShap(column_count, tuple(zip(trees, tables, strict=True)))


def _patterns(bits: Sequence[Conditions], left: Sequence[NDArray[np.bool_]]) -> NDArray[np.intp]:
    found = np.zeros(len(left[0]), dtype=np.uint32)
    for place, conditions in enumerate(bits):
        sides = (left[node] if side else ~left[node] for node, side in conditions)
        found += reduce(np.logical_and, sides) * np.uint32(1 << place)
    return found.astype(np.intp)


@dataclass(frozen=True)
class _Group:
    """The leaves below ``child``: ``above`` holds, by feature, what the path asks for; ``inner`` the nodes below."""

    child: int
    path: Conditions
    above: dict[int, Conditions]
    inner: tuple[int, ...]
    features: tuple[int, ...]

    @property
    def bits(self) -> tuple[Conditions, ...]:
        return (*self.above.values(), *(((node, True),) for node in self.inner))


def _groups(tree: Tree) -> Iterator[_Group]:
    """The largest subtrees whose patterns are few, from left to right; a tree of one leaf pushes nothing."""
    waiting: list[tuple[int, Conditions]] = [(0, ())] if len(tree.feature) else []
    while waiting:
        child, path = waiting.pop()
        above = _by_feature(tree, path)
        inner = tuple(_nodes_below(tree, child))
        if child < 0 or len(above) + len(inner) <= _SHARED_BITS:
            yield _Group(child, path, above, inner, tuple(dict.fromkeys([*above, *tree.feature[list(inner)].tolist()])))
        else:
            waiting.append((int(tree.right[child]), (*path, (child, False))))
            waiting.append((int(tree.left[child]), (*path, (child, True))))


def _by_feature(tree: Tree, path: Conditions) -> dict[int, Conditions]:
    found: dict[int, Conditions] = {}
    for node, side in path:
        feature = int(tree.feature[node])
        found[feature] = (*found.get(feature, ()), (node, side))
    return found


def _nodes_below(tree: Tree, child: int) -> Iterator[int]:
    waiting = [child]
    while waiting:
        node = waiting.pop()
        if node >= 0:
            yield node
            waiting += [int(tree.right[node]), int(tree.left[node])]


@dataclass(frozen=True)
class _Leaf:
    """What a leaf asks of each feature on its path, the share of training rows that this lets by, and the leaf's value."""

    asked: dict[int, Conditions]
    shares: tuple[float, ...]
    value: float


def _asked(tree: Tree, group: _Group) -> Iterator[_Leaf]:
    for leaf, path in _leaves_below(tree, group.child, ()):
        asked = _by_feature(tree, (*group.path, *path))
        yield _Leaf(asked, tuple(_share(tree, each) for each in asked.values()), float(tree.leaf_value[leaf]))


def _pushes_of(leaves: Sequence[_Leaf]) -> list[NDArray[np.float64]]:
    """Each leaf's table, in the order of ``leaves``; those of as many features are made at once."""
    found: list[NDArray[np.float64]] = [np.empty(0)] * len(leaves)
    for count in {len(leaf.shares) for leaf in leaves}:
        mine = [number for number, leaf in enumerate(leaves) if len(leaf.shares) == count]
        shares = np.array([leaves[number].shares for number in mine])
        values = np.array([leaves[number].value for number in mine])
        for number, pushes in zip(mine, leaf_pushes(shares, values), strict=True):
            found[number] = pushes
    return found


def _tabled(group: _Group, leaves: Sequence[tuple[_Leaf, NDArray[np.float64]]]) -> _Leaves:
    bits = group.bits
    numbers = np.arange(2 ** len(bits))
    holds = {conditions: (numbers >> place & 1).astype(np.bool_) for place, conditions in enumerate(bits)}
    rows = {feature: row for row, feature in enumerate(group.features)}
    found = np.zeros((len(rows), len(numbers)))
    for leaf, pushes in leaves:
        pattern = np.zeros(len(numbers), dtype=np.int64)
        for place, (feature, conditions) in enumerate(leaf.asked.items()):
            above = group.above.get(feature, ())
            lets_by = holds[above] if above else np.ones(len(numbers), dtype=np.bool_)
            for node, side in conditions[len(above) :]:
                lets_by = lets_by & (holds[((node, True),)] == side)
            pattern |= lets_by.astype(np.int64) << place
        for place, feature in enumerate(leaf.asked):
            found[rows[feature]] += pushes[place, pattern]
    return _Leaves(group.features, bits, found)


def _leaves_below(tree: Tree, child: int, path: Conditions) -> Iterator[tuple[int, Conditions]]:
    waiting = [(child, path)]
    while waiting:
        node, path = waiting.pop()
        if node < 0:
            yield ~node, path
        else:
            waiting.append((int(tree.right[node]), (*path, (node, False))))
            waiting.append((int(tree.left[node]), (*path, (node, True))))


def _share(tree: Tree, conditions: Conditions) -> float:
    """Share of the training rows that these decisions of one feature let by."""
    share = 1.0
    for node, side in conditions:
        child = int(tree.left[node] if side else tree.right[node])
        share *= tree.rows_at(child) / tree.rows_at(node)
    return share


def leaf_pushes(shares: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shapley values of the features of leaves for each pattern, shape (leaves, features, 2 ** features).

    Args:
        shares: shape (leaves, features), all > 0. Bit j of a pattern says that feature j lets the row by; where it is not
            asked, it lets by that share.
        values: shape (leaves,), in log odds.
    """
    count = shares.shape[1]
    points, weights = np.polynomial.legendre.leggauss((count + 1) // 2)
    found = np.zeros((*shares.shape, 2**count))
    gain = np.stack([-shares, 1 - shares], axis=2)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        factors = np.stack([shares * (1 - point), point + shares * (1 - point)], axis=2)
        product = values[:, None] * weight
        for feature in range(count):
            product = np.concatenate([product * factors[:, feature, :1], product * factors[:, feature, 1:]], axis=1)
        for feature in range(count):
            one = (gain[:, feature] / factors[:, feature])[:, None, :, None]
            found[:, feature] += (product.reshape(len(shares), -1, 2, 2**feature) * one).reshape(len(shares), -1)
    return found
