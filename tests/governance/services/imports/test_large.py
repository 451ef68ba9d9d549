"""A file of a million rows: the few cells that cannot be are found, and none of it goes in without them being seen."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from lakeshelf.governance.services.context import Context
from tests.governance.services.acting import ROW, rows
from tests.governance.services.imports.filing import loaded, refused

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
ROWS = 1_000_000
BAD = {
    (17, "min_qty"): "-1",
    (500_000, "threshold_pct"): "much",
    (ROWS - 1, "target_pct"): "101.5",
}
"""Row from 0 and column → what stands there."""


def file(bad: dict[tuple[int, str], str]) -> bytes:
    columns = {name: np.full(ROWS, str(value).lower(), object) for name, value in ROW.items()}
    for (row, column), value in bad.items():
        columns[column][row] = value
    ids = pc.binary_join_element_wise("S", pa.array(np.arange(ROWS)).cast(pa.string()), "")
    sink = io.BytesIO()
    texts = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    csv.write_csv(pa.table({"shelf_id": ids, **texts}), sink)
    return sink.getvalue()


def test_three_bad_rows_of_a_million_are_named_by_row_column_value_and_rule(
    context: Context,
) -> None:
    made = loaded(context, file(BAD))
    assert (made.upload.status, made.request) == ("refused", None)
    found = [(line, column, value) for line, column, value, _ in refused(context, made)]
    assert found == [(row + 2, column, value) for (row, column), value in BAD.items()]
    assert rows(context) == {}
    left = loaded(context, file(BAD), leave_out=True)
    assert left.request is not None
    assert left.upload.report["refused"] == len(BAD)
    assert left.request.status == "pending_review"
