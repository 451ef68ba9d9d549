"""What a version and every baseline beside it scored, as `ops/model_scores` has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.model.boosted import Boosted
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables

BY = ("segment", "metric", "contender")
STORE = "store:"
"""Segments of a store begin with it."""


@dataclass(frozen=True)
class Scored:
    """Scores of a version.

    Attributes:
        model_version: The version.
        contender: Name of the version itself among the contenders.
        folds: First days of the folds' tests.
        means: Segment → metric → contender → mean of the folds, weighted by their rows; without segments of a store.
    """

    model_version: str
    contender: str
    folds: Sequence[date]
    means: Mapping[str, Mapping[str, Mapping[str, float]]]


def scored(root: Place, version: str) -> Scored:
    """The scores of a version; none where nobody wrote any.

    Raises:
        LakeError: `ops/model_scores` is not there, or cannot be read.
    """
    rows = tables.rows(root, Ops.MODEL_SCORES, where=[("model_version", "=", version)])
    folds = sorted(set(rows["fold"].to_pylist()))
    rows = rows.filter(pc.and_(_is_whole(rows), pc.is_valid(rows["value"])))
    sums = rows.append_column("sum", pc.multiply(rows["value"], rows["rows"].cast(pa.float64())))
    table: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in (
        sums.group_by(BY, use_threads=False)
        .aggregate([("sum", "sum"), ("rows", "sum")])
        .to_pylist()
    ):
        segment, metric, contender = (row[name] for name in BY)
        table[segment][metric][contender] = row["sum_sum"] / max(row["rows_sum"], 1)
    return Scored(version, Boosted.name, folds, table)


def _is_whole(rows: pa.Table) -> pa.ChunkedArray:
    """Which rows are of a segment of all stores."""
    return pc.invert(pc.starts_with(rows["segment"], STORE))
