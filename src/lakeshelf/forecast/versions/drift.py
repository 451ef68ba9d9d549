"""Drift: how far the features of today are from those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lakeshelf.forecast.frames import Columns, Floats
from lakeshelf.forecast.versions.cards import FeatureReference

BINS = 10
EVERY_STORE = ""
"""Name of all stores together."""
DAYS = 3
"""Cutoff days, a week, of a reference, and of what is compared with it."""
LEAST_ROWS = 500
"""Fewer rows tell nothing: the index of rows of the same distribution is about (bins - 1) / rows."""
LEAST_SHARE = 1e-4
"""An empty bin counts as this share, or its index would have no bound."""


def reference(rows: Floats, stores: Sequence[str], columns: Columns) -> FeatureReference:
    """How features are distributed, over all stores and in each.

    Args:
        rows: One row a row and a column for each of `columns.names`: NaN is unknown, categories are codes.
        stores: Store of each row.
        columns: What a model reads.
    """
    edges = {name: _edges(rows[:, i]) for i, name in enumerate(columns.numeric)}
    edges |= dict.fromkeys(columns.categories, ())
    bins = _bins(columns)
    shares = {
        store: {
            name: tuple(_shares(part[:, i], edges[name], bins.get(name)).tolist())
            for i, name in enumerate(columns.names)
        }
        for store, part in _by_store(rows, stores).items()
    }
    return FeatureReference(edges=edges, shares=shares)


def stability(
    known: FeatureReference, rows: Floats, stores: Sequence[str], columns: Columns
) -> dict[str, dict[str, float]]:
    """Population stability index of features: Σ (actual - expected) x ln(actual / expected) over bins.

    Args:
        known: How they were distributed; a store that it does not know is left out.
        rows: As for `reference`, of the days to compare.
        stores: Store of each row; one with fewer than `LEAST_ROWS` is left out.
        columns: What the model reads.

    Returns:
        Store, or `EVERY_STORE`, → column → index; 0.1 is a small shift, 0.2 a large one.
    """
    bins = _bins(columns)
    return {
        store: {
            name: _index(
                np.array(known.shares[store][name]),
                _shares(part[:, i], known.edges[name], bins.get(name)),
            )
            for i, name in enumerate(columns.names)
        }
        for store, part in _by_store(rows, stores).items()
        if store in known.shares and len(part) >= LEAST_ROWS
    }


def _by_store(rows: Floats, stores: Sequence[str]) -> dict[str, Floats]:
    of = np.asarray(stores, dtype=str)
    return {EVERY_STORE: rows, **{str(store): rows[of == store] for store in np.unique(of)}}


def _bins(columns: Columns) -> Mapping[str, int]:
    return {name: len(values) for name, values in columns.categories.items()}


def _edges(values: Floats) -> tuple[float, ...]:
    """Distinct quantiles of what is known, so that bins hold about as many rows each."""
    known = values[np.isfinite(values)]
    if not len(known):
        return ()
    return tuple(np.unique(np.quantile(known, np.arange(1, BINS) / BINS)).tolist())


def _shares(values: Floats, edges: Sequence[float], categories: int | None) -> Floats:
    """Share of rows in each bin, in the last the unknown; without rows all are unknown."""
    bins = len(edges) + 1 if categories is None else categories
    places = _places(values, edges, categories)
    counts = np.bincount(places, minlength=bins + 1).astype(np.float64)
    if not len(values):
        counts[-1] = 1.0
    shares: Floats = counts / counts.sum()
    return shares


def _places(
    values: Floats, edges: Sequence[float], categories: int | None
) -> npt.NDArray[np.int64]:
    if categories is None:
        places = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
        return np.where(np.isfinite(values), places, len(edges) + 1).astype(np.int64)
    is_known = np.isfinite(values) & (values >= 0) & (values < categories)
    return np.where(is_known, np.nan_to_num(values), categories).astype(np.int64)


def _index(expected: Floats, actual: Floats) -> float:
    expected, actual = (np.maximum(shares, LEAST_SHARE) for shares in (expected, actual))
    return float(np.sum((actual - expected) * np.log(actual / expected)))
