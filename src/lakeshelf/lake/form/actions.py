"""The files of a version, as the log lists them."""

from __future__ import annotations

import pyarrow as pa
from deltalake import DeltaTable


def added(handle: DeltaTable, *, flatten: bool = False) -> pa.Table:
    """A row for each file of a table at the version of its handle.

    Args:
        handle: The table.
        flatten: Statistics and values of partitions in a column each (`min.units`), not in structs.

    Returns:
        `path`, `size_bytes`, `modification_time`, `num_records`, `null_count`, `min`, `max`, `partition`.
    """
    # `pa.table` would import pandas, to see whether it was given one of its frames.
    return pa.RecordBatchReader.from_stream(handle.get_add_actions(flatten=flatten)).read_all()
