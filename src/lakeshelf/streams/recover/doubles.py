"""Records that `raw` holds more than once, at one place of one topic: what a lost checkpoint once led to."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.form.commits import Write
from lakeshelf.lake.rows import reading
from lakeshelf.lake.write import writing
from lakeshelf.streams.take.duplicates import PLACE

DAY = "event_date"


def count(handle: DeltaTable, name: str) -> int:
    """Rows of a raw table beyond the first of their place."""
    return int(pc.sum(_doubled(handle, name)["beyond"]).as_py() or 0)


def remove(handle: DeltaTable, name: str) -> int:
    """Keep the first row of each place, one commit a day that has others; how many are removed."""
    doubled = _doubled(handle, name)
    for day in doubled[DAY].unique().to_pylist():
        rows = reading.rows(handle, name, where=[(DAY, "=", day)])
        writing.replace(handle, name, _firsts(rows), Write(), [(DAY, "=", day)])
    return int(pc.sum(doubled["beyond"]).as_py() or 0)


def _doubled(handle: DeltaTable, name: str) -> pa.Table:
    """Places that have several rows: the columns of `PLACE`, `event_date`, and `beyond`, rows beyond the first."""
    places = reading.rows(handle, name, [*PLACE, DAY])
    counted = places.group_by([*PLACE, DAY]).aggregate([([], "count_all")])
    several = counted.filter(pc.greater(counted["count_all"], 1))
    return several.append_column("beyond", pc.subtract(several["count_all"], 1))


def _firsts(rows: pa.Table) -> pa.Table:
    ordered = rows.sort_by([(name, "ascending") for name in (*PLACE, "ingested_at")])
    numbered = ordered.append_column("row", pa.array(range(ordered.num_rows), pa.int64()))
    firsts = numbered.group_by(list(PLACE)).aggregate([("row", "min")])
    return ordered.take(firsts["row_min"].sort())
