"""Texts of LightGBM, looked through before it opens them.

Its loader trusts sizes, counts and indices, and reads past them when they lie. So a text has to be, line by line, one
that LightGBM writes for heads of ours; what is well formed is bounded, too. It is kept up to its last tree: the
parameters behind it stand in the card, and nothing reads them back from here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from lakeshelf.forecast.frames import MEAN, Columns
from lakeshelf.forecast.versions.errors import WAY, VersionDamaged

END = "end of trees\n"
FEATURES, TREES, LEAVES = 1_000, 10_000, 1_024
"""Most features, trees, and leaves of a tree: trees are walked recursively, so depth is bounded by leaves."""
INPUTS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
LEAF = ("leaf_value", "leaf_weight", "leaf_count")
INNER = ("internal_value", "internal_weight", "internal_count")
CATEGORICAL = ("cat_boundaries", "cat_threshold")
NUMERIC_DECISIONS = frozenset({0, 2, 4, 6, 8, 10})
"""Bits of a decision: 0 by category, 1 missing goes left, 2 and 3 what is missing (none, zero, NaN)."""
CATEGORY_DECISIONS = frozenset({1, 5, 9})
_INTEGER = re.compile(r"-?\d{1,10}")
_REAL = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]?\d{1,3})?")
_THRESHOLD = re.compile(rf"{_REAL.pattern}|inf")
"""What is known goes left of `inf`, and only the unknown right."""
_INFO = re.compile(r"none|\[-?[\d.e+-]{1,30}:-?[\d.e+-]{1,30}\]|-?\d{1,10}(:-?\d{1,10})*")
_Entries = Mapping[str, str]


class _FaultError(ValueError):
    """What is wrong with a text, and where."""


def objective(head: str) -> str:
    """What a head is trained for, as LightGBM has it."""
    return "tweedie" if head == MEAN else "quantile"


def stored(text: str) -> str:
    """The part of LightGBM's text that is kept: header and trees."""
    trees, end, _ = text.partition(END)
    return trees + end


def check(text: str, columns: Columns, head: str, place: object) -> None:
    """See to it that LightGBM can open a text.

    Args:
        text: As `stored` gives it.
        columns: What the model reads.
        head: Name of `HEADS`.
        place: Where it stands, for the error.

    Raises:
        VersionDamaged: It is not what LightGBM writes for such a head; the message names tree and field.
    """
    try:
        _check(text, columns, head)
    except _FaultError as fault:
        raise VersionDamaged(f"{place} is no head {head} of ours: {fault}", hint=WAY) from None


def _check(text: str, columns: Columns, head: str) -> None:
    _hold(text.isascii(), "not all of it is ASCII")
    _hold(0 < len(columns.names) <= FEATURES, f"{len(columns.names)} features")
    header, _, _ = text.partition("\n\n")
    sizes = _header(header, columns, head)
    at = len(header) + 2
    for number, size in enumerate(sizes):
        _tree(text[at : at + size], number, columns)
        at += size
    _hold(text[at:] == END, f"no {END.strip()!r} after tree {len(sizes) - 1}")


def _header(header: str, columns: Columns, head: str) -> list[int]:
    """Sizes of the trees, in bytes, after the rest was compared."""
    expected = {
        "version": "v4",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": str(len(columns.names) - 1),
        "objective": objective(head),
        "feature_names": " ".join(columns.names),
    }
    kind, _, rest = header.partition("\n")
    _hold(kind == "tree", "its first line is not 'tree'")
    entries = _entries(rest, (*expected, "feature_infos", "tree_sizes"))
    for name, value in expected.items():
        _hold(entries[name] == value, f"{name} is {entries[name][:80]!r}, not {value[:80]!r}")
    infos = entries["feature_infos"].split(" ")
    _hold(len(infos) == len(columns.names), f"{len(infos)} feature_infos")
    _hold(all(map(_INFO.fullmatch, infos)), "feature_infos are no ranges")
    sizes = _integers(entries, "tree_sizes", None)
    _hold(0 < len(sizes) <= TREES, f"{len(sizes)} trees")
    _hold(min(sizes) > 0, "a tree of no size")
    return sizes


def _tree(block: str, number: int, columns: Columns) -> None:
    title, ending = f"Tree={number}\n", "\n\n\n"
    _hold(block.startswith(title) and block.endswith(ending), f"tree {number} is not of its size")
    try:
        _nodes(block[len(title) : -len(ending)], columns)
    except _FaultError as fault:
        raise _FaultError(f"tree {number}: {fault}") from None


def _nodes(lines: str, columns: Columns) -> None:
    has_categories = "\ncat_boundaries=" in lines
    names = ("num_leaves", "num_cat", *INPUTS, *LEAF, *INNER)
    names += (*(CATEGORICAL if has_categories else ()), "is_linear", "shrinkage")
    entries = _entries(lines, names)
    (leaves,), (kinds,) = _integers(entries, "num_leaves", 1), _integers(entries, "num_cat", 1)
    _hold(1 <= leaves <= LEAVES, f"num_leaves is {leaves}")
    _hold((kinds > 0) == has_categories, f"num_cat is {kinds}")
    _hold(entries["is_linear"] == "0", "is_linear is not 0")
    _reals(entries, "shrinkage", 1)
    _values(entries, leaves)
    _children(entries, leaves)
    _decisions(entries, leaves - 1, _sets(entries, kinds), columns)


def _values(entries: _Entries, leaves: int) -> None:
    """Leaves and what is told of inner nodes; a tree of one leaf tells no weight, perhaps no count."""
    _reals(entries, "leaf_value", leaves)
    if leaves > 1 or entries["leaf_weight"]:
        _reals(entries, "leaf_weight", leaves)
    if leaves > 1 or entries["leaf_count"]:
        _hold(min(_integers(entries, "leaf_count", leaves)) >= 0, "leaf_count is negative")
    for name in ("split_gain", "internal_value", "internal_weight"):
        _reals(entries, name, leaves - 1)
    counts = _integers(entries, "internal_count", leaves - 1)
    _hold(all(count > 0 for count in counts), "internal_count is not positive")


def _children(entries: _Entries, leaves: int) -> None:
    """Every node but the root is the child of one node before it; leaves count from -1 down."""
    left, right = (_integers(entries, name, leaves - 1) for name in ("left_child", "right_child"))
    for node, children in enumerate(zip(left, right, strict=True)):
        later = all(child < 0 or child > node for child in children)
        _hold(later, f"node {node} has the children {children}")
    if leaves > 1:
        nodes = [*range(-leaves, 0), *range(1, leaves - 1)]
        _hold(sorted(left + right) == nodes, "left_child and right_child name not every node once")


def _sets(entries: _Entries, kinds: int) -> int:
    """Number of the tree's sets of categories, each of 32-bit words between two boundaries."""
    if kinds:
        bounds = _integers(entries, "cat_boundaries", kinds + 1)
        words = _integers(entries, "cat_threshold", None)
        rising = all(before < after for before, after in pairwise(bounds))
        whole = rising and (bounds[0], bounds[-1]) == (0, len(words))
        _hold(whole, "cat_boundaries do not divide cat_threshold")
        _hold(all(0 <= word < 2**32 for word in words), "cat_threshold is no 32-bit word")
    return kinds


def _decisions(entries: _Entries, inner: int, sets: int, columns: Columns) -> None:
    features = _integers(entries, "split_feature", inner)
    decisions = _integers(entries, "decision_type", inner)
    texts = _split(entries, "threshold", inner, _THRESHOLD)
    thresholds = [float(value) for value in texts]
    _hold(thresholds.count(math.inf) == texts.count("inf"), "threshold is not finite")
    for feature, decision, threshold in zip(features, decisions, thresholds, strict=True):
        _hold(0 <= feature < len(columns.names), f"split_feature is {feature}")
        if decision in CATEGORY_DECISIONS:
            _hold(feature >= len(columns.numeric), f"{columns.names[feature]} has no categories")
            _hold(threshold in range(sets), f"threshold is {threshold}, of {sets} sets")
        else:
            _hold(decision in NUMERIC_DECISIONS, f"decision_type is {decision}")


def _entries(lines: str, names: Sequence[str]) -> _Entries:
    """Name → value of lines, which have to be these in this order."""
    split = [line.partition("=") for line in lines.split("\n")]
    _hold(len(split) == len(names), f"{len(split)} lines, not {len(names)}")
    for (name, sign, _), expected in zip(split, names, strict=True):
        _hold((name, sign) == (expected, "="), f"{name[:40]!r} where {expected} should be")
    return {name: value for name, _, value in split}


def _integers(entries: _Entries, name: str, count: int | None) -> list[int]:
    return [int(value) for value in _split(entries, name, count, _INTEGER)]


def _reals(entries: _Entries, name: str, count: int) -> list[float]:
    values = [float(value) for value in _split(entries, name, count, _REAL)]
    _hold(all(map(math.isfinite, values)), f"{name} is not finite")
    return values


def _split(entries: _Entries, name: str, count: int | None, pattern: re.Pattern[str]) -> list[str]:
    values = entries[name].split(" ") if entries[name] else []
    if count is not None:
        _hold(len(values) == count, f"{len(values)} values of {name}, not {count}")
    for value in values:
        _hold(pattern.fullmatch(value) is not None, f"{name} holds {value[:40]!r}")
    return values


def _hold(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise _FaultError(otherwise)
