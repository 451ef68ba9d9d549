"""Index of event ids: which rows of a raw table share an id with a batch.

Ids made by us begin with the event time, so those of a batch lie in a narrow range: the newest ids of
a topic are kept in memory, and what is older is looked up in just those files of raw whose statistics
allow it. The cost of a batch follows its own size and that of the window, not that of raw. Ids of
foreign producers are found by the same rule, with more files to read.
"""

from __future__ import annotations

from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.form.actions import added
from lakeshelf.lake.place import storage
from lakeshelf.streams.declare.duck import Duck

OURS = r"^[0-9]{13}-"
SEGMENT_ROWS = 100_000
NOTHING_KNOWN = "\U0010ffff"


class IdWindow:
    """All ids of one kind above a horizon.

    Args:
        rows: Most ids that are kept; the smallest ones leave first and lift the horizon.
        horizon: Bound, exclusive, above which every id of raw is known here.
    """

    def __init__(self, rows: int, horizon: str = "") -> None:
        self._limit = rows
        self._segments: list[pa.Array] = []
        self.horizon = horizon

    def add(self, ids: pa.Array) -> None:
        """Remember ids that stand in raw."""
        if len(ids) == 0:
            return
        if self._segments and len(self._segments[-1]) + len(ids) <= SEGMENT_ROWS:
            ids = pa.concat_arrays([self._segments.pop(), ids])
        self._segments.append(ids)
        if sum(map(len, self._segments)) > self._limit * 5 // 4:
            self._shrink()

    def suspects(self, ids: pa.Array) -> pa.Array:
        """Those of `ids` that are remembered, or too old to tell."""
        if len(ids) == 0:
            return ids
        known = pc.greater(ids, self.horizon)
        recent = ids.filter(known)
        return pa.concat_arrays([ids.filter(pc.invert(known)), *self._remembered(recent)])

    def _remembered(self, ids: pa.Array) -> list[pa.Array]:
        if len(ids) == 0:
            return []
        low, high = _bounds(ids)
        overlapping = (s for s in self._segments if (b := _bounds(s))[0] <= high and b[1] >= low)
        return [ids.filter(pc.is_in(ids, segment)) for segment in overlapping]

    def _shrink(self) -> None:
        ordered = pa.concat_arrays(self._segments).sort()
        cut = len(ordered) - self._limit
        self.horizon = max(self.horizon, ordered[cut - 1].as_py())
        self._segments = [
            ordered.slice(i, SEGMENT_ROWS) for i in range(cut, len(ordered), SEGMENT_ROWS)
        ]


class IdIndex:
    """Finds rows of a raw table by event id.

    Args:
        handle: The raw table, on its owner's handle, which is always at the latest version.
        rows: Most ids of a kind that are kept in memory.
        duck: Engine that reads the files.
    """

    def __init__(self, handle: DeltaTable, rows: int, duck: Duck) -> None:
        self._handle = handle
        self._duck = duck
        files = duck.query(_NEWEST_FILES, adds=_adds(handle), bound=pa.table({"bound": [rows]}))
        older = files.filter(pc.invert(files["loaded"]))
        foreign = NOTHING_KNOWN if older.num_rows else ""
        self._ours = IdWindow(rows, horizon=pc.max(older["high"]).as_py() or "")
        self._foreign = IdWindow(rows, horizon=foreign)
        self.add(
            self._read(files.filter(files["loaded"])["path"].to_pylist(), "event_id")["event_id"]
        )

    def add(self, ids: pa.ChunkedArray) -> None:
        """Remember the ids of rows that were just committed."""
        for window, part in self._split(ids):
            window.add(part)

    def seen(self, ids: pa.ChunkedArray) -> pa.Table:
        """Rows of raw whose id is among `ids`."""
        suspects = pa.concat_arrays([window.suspects(part) for window, part in self._split(ids)])
        if len(suspects) == 0:
            return _schema(self._handle).empty_table()
        requested = pa.table({"event_id": suspects.unique()})
        files = self._duck.query(_POSSIBLE_FILES, adds=_adds(self._handle), requested=requested)
        rows = self._read(files["path"].to_pylist(), "*", requested)
        return rows.select(_schema(self._handle).names).cast(_schema(self._handle))

    def _split(self, ids: pa.ChunkedArray) -> list[tuple[IdWindow, pa.Array]]:
        array = ids.combine_chunks()
        ours = pc.match_substring_regex(array, OURS)
        return [(self._ours, array.filter(ours)), (self._foreign, array.filter(pc.invert(ours)))]

    def _read(self, paths: list[str], columns: str, requested: pa.Table | None = None) -> pa.Table:
        if not paths:
            return _schema(self._handle).empty_table()
        root, name = storage.place_of(self._handle)
        if root.folder is not None:
            files = [str(root.folder / name / unquote(path)) for path in paths]
            return self._duck.read_parquet(files, columns, requested)
        dataset = storage.dataset_of(self._handle, paths, _schema(self._handle))
        # Files that were rewritten hold texts as views, whose statistics Arrow cannot compare: hence the cast.
        ids = pc.field("event_id").cast(pa.string())
        chosen = None if requested is None else ids.isin(requested["event_id"])
        return dataset.to_table(None if columns == "*" else [columns], filter=chosen)


def may_hold(handle: DeltaTable, low: str, high: str) -> bool:
    """Whether statistics allow any file of a raw table an id from `low` to `high`, both included."""
    files = _adds(handle)
    apart = pc.or_(pc.less(files["high"], low), pc.greater(files["low"], high))
    return not pc.all(pc.fill_null(apart, False), min_count=0).as_py()


_NEWEST_FILES = """
    SELECT path, high, sum(num_records) OVER (ORDER BY modification_time DESC, path) <= (SELECT bound FROM {bound})
        AND high IS NOT NULL AS loaded
    FROM {adds}"""

_POSSIBLE_FILES = """
    SELECT path FROM {adds} AS a
    WHERE low IS NULL OR EXISTS (SELECT 1 FROM {requested} AS r WHERE r.event_id BETWEEN a.low AND a.high)"""


def _adds(handle: DeltaTable) -> pa.Table:
    """Files of the table: path, num_records, modification_time, low and high `event_id`."""
    adds = added(handle, flatten=True)
    empty = pa.nulls(adds.num_rows, pa.string())
    bounds = [
        adds[name] if name in adds.column_names else empty
        for name in ("min.event_id", "max.event_id")
    ]
    return pa.table(
        {
            "path": adds["path"].cast(pa.string()),
            "num_records": adds["num_records"],
            "modification_time": adds["modification_time"],
            "low": bounds[0].cast(pa.string()),
            "high": bounds[1].cast(pa.string()),
        }
    )


def _schema(handle: DeltaTable) -> pa.Schema:
    return pa.schema(handle.schema().to_arrow())


def _bounds(ids: pa.Array) -> tuple[str, str]:
    bounds = pc.min_max(ids).as_py()
    return bounds["min"], bounds["max"]
