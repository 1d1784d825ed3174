"""A model's trees as LLVM's text: sixteen rows at a time, every node decided, no branch.

A walk down a tree guesses each branch, and is wrong every other time. Deciding all nodes of a small tree for several rows at
once, and then selecting the leaf, costs less than the wrong guesses do: the idea of QuickScorer (Lucchese et al., SIGIR 2015)
and of its vectorised form (SIGIR 2016). A row's leaves are added in the order of the trees, as LightGBM adds them.
"""

from collections.abc import Iterator, Sequence

from ml_pipeline.domain.node_code import BITS, DOUBLES, FLOATS, ROWS_A_GROUP, decision, number
from ml_pipeline.domain.trees import Tree, trees_of

ENTRY = "forest_of_columns"
# Raised with every change of the text: code that was made of another text is made again.
TEXT_VERSION = "columns-1"
# What the entry is given at most: columns of so many rows lie near the processor while all trees pass over them.
ROWS_A_PASS = 256
# Code of so many trees stays near the processor while the rows of a pass go by.
_TREES_A_BLOCK = 16
# Every node costs, whether or not a row comes by: beyond this a walk down the tree is cheaper.
_MOST_LEAVES = 128
_OBJECTIVE = "\nobjective=binary sigmoid:"

_HEAD = f"""\
declare double @exp(double)
declare {FLOATS} @llvm.fabs.v{ROWS_A_GROUP}f32({FLOATS})
attributes #0 = {{ nounwind "min-legal-vector-width"="512" }}"""

_BEND = """\
define internal void @bend(ptr %scores, i64 %rows) #0 {{
start:
  br label %row
row:
  %at = phi i64 [ 0, %start ], [ %next, %row ]
  %place = getelementptr double, ptr %scores, i64 %at
  %sum = load double, ptr %place
  %steep = fmul double {slope}, %sum
  %grown = call double @exp(double %steep)
  %below = fadd double 1.0, %grown
  %chance = fdiv double 1.0, %below
  store double %chance, ptr %place
  %next = add i64 %at, 1
  %more = icmp ult i64 %next, %rows
  br i1 %more, label %row, label %end
end:
  ret void
}}"""

_BLOCK = """\
define internal void @block{number}(ptr %columns, ptr %scores, i64 %rows) #0 {{
start:
  br label %group
group:
  %at = phi i64 [ 0, %start ], [ %next, %group ]
  %here = getelementptr float, ptr %columns, i64 %at
  %place = getelementptr double, ptr %scores, i64 %at
  %sum0 = load {doubles}, ptr %place, align 8
{body}
  store {doubles} %sum{count}, ptr %place, align 8
  %next = add i64 %at, {group}
  %more = icmp ult i64 %next, %rows
  br i1 %more, label %group, label %end
end:
  ret void
}}"""


def tree_code(trees_text: str) -> str:
    """LLVM's text of ``ENTRY(columns, scores, rows)``, which writes the scores of up to ``ROWS_A_PASS`` rows.

    ``columns`` points to float32 of shape (columns, ``ROWS_A_PASS``), ``scores`` to as many float64, zero before; both
    are used up to the next multiple of ``ROWS_A_GROUP`` after ``rows``.

    Raises:
        ValueError: the trees are of a kind that is not translated.
    """
    trees = trees_of(trees_text)
    widest = max(len(tree.leaf_value) for tree in trees)
    if widest > _MOST_LEAVES:
        raise ValueError(f"a tree has {widest} leaves; beyond {_MOST_LEAVES} a walk down the tree is cheaper")
    blocks = [trees[start : start + _TREES_A_BLOCK] for start in range(0, len(trees), _TREES_A_BLOCK)]
    parts = [_block(number, block) for number, block in enumerate(blocks)]
    return "\n".join([_HEAD, _BEND.format(slope=number(-_slope(trees_text))), *parts, _entry(len(blocks))])


def _slope(trees_text: str) -> float:
    """How LightGBM bends a sum of leaves into a probability."""
    _, found, rest = trees_text.partition(_OBJECTIVE)
    if not found:
        raise ValueError("the objective is not binary")
    return float(rest.split(maxsplit=1)[0])


def _entry(blocks: int) -> str:
    arguments = "(ptr %columns, ptr %scores, i64 %rows)"
    calls = [f"  call void @block{number}{arguments}" for number in range(blocks)]
    return "\n".join(
        [
            f"define void @{ENTRY}{arguments} #0 {{",
            *calls,
            "  call void @bend(ptr %scores, i64 %rows)",
            "  ret void",
            "}",
        ]
    )


def _block(place: int, trees: Sequence[Tree]) -> str:
    features = sorted({int(feature) for tree in trees for feature in tree.feature})
    lines = [line for feature in features for line in _load(feature)]
    for added, tree in enumerate(trees):
        lines += _tree(f"t{added}", tree)
        lines.append(f"  %sum{added + 1} = fadd {DOUBLES} %sum{added}, {_value(f't{added}', tree, _root(tree))}")
    return _BLOCK.format(number=place, body="\n".join(lines), count=len(trees), group=ROWS_A_GROUP, doubles=DOUBLES)


def _load(feature: int) -> Iterator[str]:
    yield f"  %p{feature} = getelementptr float, ptr %here, i64 {feature * ROWS_A_PASS}"
    yield f"  %x{feature} = load {FLOATS}, ptr %p{feature}, align 4"


def _tree(name: str, tree: Tree) -> Iterator[str]:
    """Every node after the nodes below it: whoever goes left has the value of the left child, the others that of the right."""
    for node in _upwards(tree, _root(tree)):
        yield from decision(f"{name}n{node}", tree, node)
        left, right = (_value(name, tree, int(children[node])) for children in (tree.left, tree.right))
        yield f"  %{name}v{node} = select {BITS} %{name}n{node}, {DOUBLES} {left}, {DOUBLES} {right}"


def _root(tree: Tree) -> int:
    return 0 if len(tree.feature) else ~0


def _upwards(tree: Tree, child: int) -> Iterator[int]:
    if child >= 0:
        yield from _upwards(tree, int(tree.left[child]))
        yield from _upwards(tree, int(tree.right[child]))
        yield child


def _value(name: str, tree: Tree, child: int) -> str:
    return f"%{name}v{child}" if child >= 0 else f"splat (double {number(float(tree.leaf_value[~child]))})"
