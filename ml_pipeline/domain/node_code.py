"""The decision of one node of a tree as LLVM's text, for a group of float32 rows; exactly LightGBM's, which decides in float64."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ml_pipeline.domain.trees import CATEGORICAL, DEFAULT_LEFT, NAN_IS_MISSING, ZERO, ZERO_IS_MISSING, Tree

ROWS_A_GROUP = 16
FLOATS, DOUBLES, BITS, INTEGERS = (f"<{ROWS_A_GROUP} x {kind}>" for kind in ("float", "double", "i1", "i32"))
FABS = f"@llvm.fabs.v{ROWS_A_GROUP}f32"
_WORD_BITS = 32


def number(value: float) -> str:
    """A float32 or float64 as LLVM writes it, to the last bit."""
    return f"0x{struct.pack('>d', value).hex().upper()}"


def decision(name: str, tree: Tree, node: int) -> Iterator[str]:
    """Lines that make ``%name``: which rows of the group, whose values are ``%x<feature>``, go left at ``node``."""
    kind, values = int(tree.kind[node]), f"%x{tree.feature[node]}"
    if kind & CATEGORICAL:
        yield from _is_level(name, values, tree.levels[node])
        return
    cut, is_left = float(tree.threshold[node]), bool(kind & DEFAULT_LEFT)
    below, missing = f"splat (float {number(greatest_left(cut))})", kind >> 2 & 3
    if missing != ZERO_IS_MISSING:
        missing_goes_left = is_left if missing == NAN_IS_MISSING else cut >= 0
        yield f"  %{name} = fcmp {'ule' if missing_goes_left else 'ole'} {FLOATS} {values}, {below}"
        return
    yield f"  %{name}a = call {FLOATS} {FABS}({FLOATS} {values})"
    yield f"  %{name}z = fcmp {'ule' if is_left else 'ogt'} {FLOATS} %{name}a, splat (float {number(ZERO)})"
    yield f"  %{name}b = fcmp ole {FLOATS} {values}, {below}"
    yield f"  %{name} = {'or' if is_left else 'and'} {BITS} %{name}z, %{name}b"


def greatest_left(threshold: float) -> float:
    """The greatest float32 that goes left: LightGBM compares float64, after it took what is nearly zero for zero."""
    with np.errstate(over="ignore"):
        nearest = np.float32(threshold)
    if float(nearest) > threshold:
        nearest = np.nextafter(nearest, np.float32(-np.inf))
    if threshold >= 0:
        return max(float(nearest), ZERO)
    return min(float(nearest), float(np.nextafter(np.float32(-ZERO), np.float32(-np.inf))))


def _is_level(name: str, values: str, levels: NDArray[np.bool_]) -> Iterator[str]:
    """A missing value and a code beyond the known ones go right; the others by the bit of their code."""
    yield f"  %{name}above = fcmp ogt {FLOATS} {values}, splat (float -1.0)"
    yield f"  %{name}under = fcmp olt {FLOATS} {values}, splat (float {number(len(levels))})"
    yield f"  %{name}known = and {BITS} %{name}above, %{name}under"
    yield f"  %{name}held = select {BITS} %{name}known, {FLOATS} {values}, {FLOATS} zeroinitializer"
    yield f"  %{name}code = fptosi {FLOATS} %{name}held to {INTEGERS}"
    yield f"  %{name}bit = and {INTEGERS} %{name}code, splat (i32 {_WORD_BITS - 1})"
    yield f"  %{name}word = lshr {INTEGERS} %{name}code, splat (i32 {_WORD_BITS.bit_length() - 1})"
    found = "zeroinitializer"
    for place, bits in _words(levels):
        part = f"%{name}w{place}"
        yield f"  {part}s = lshr {INTEGERS} splat (i32 {bits}), %{name}bit"
        yield f"  {part}b = trunc {INTEGERS} {part}s to {BITS}"
        yield f"  {part}h = icmp eq {INTEGERS} %{name}word, splat (i32 {place})"
        yield f"  {part}m = and {BITS} {part}b, {part}h"
        yield f"  {part} = or {BITS} {part}m, {found}"
        found = part
    yield f"  %{name} = and {BITS} %{name}known, {found}"


def _words(levels: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The words that hold a level, each with its place."""
    for place, start in enumerate(range(0, len(levels), _WORD_BITS)):
        if bits := sum(1 << int(bit) for bit in np.flatnonzero(levels[start : start + _WORD_BITS])):
            yield place, bits
