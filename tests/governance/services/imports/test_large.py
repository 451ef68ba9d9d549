"""A file of very many rows: the few cells that cannot be are found, and none of it goes in without them being seen."""

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


def bad_cells(rows: int) -> dict[tuple[int, str], str]:
    """Row from 0 and column → what stands there."""
    return {
        (17, "min_qty"): "-1",
        (rows // 2, "threshold_pct"): "much",
        (rows - 1, "target_pct"): "101.5",
    }


def file(rows: int, bad: dict[tuple[int, str], str]) -> bytes:
    columns = {name: np.full(rows, str(value).lower(), object) for name, value in ROW.items()}
    for (row, column), value in bad.items():
        columns[column][row] = value
    ids = pc.binary_join_element_wise("S", pa.array(np.arange(rows)).cast(pa.string()), "")
    sink = io.BytesIO()
    texts = {name: pa.array(values, pa.string()) for name, values in columns.items()}
    csv.write_csv(pa.table({"shelf_id": ids, **texts}), sink)
    return sink.getvalue()


@pytest.mark.parametrize("size", [100_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_three_bad_rows_of_very_many_are_named_by_row_column_value_and_rule(
    context: Context, size: int
) -> None:
    bad = bad_cells(size)
    made = loaded(context, file(size, bad))
    assert (made.upload.status, made.request) == ("refused", None)
    found = [(line, column, value) for line, column, value, _ in refused(context, made)]
    assert found == [(row + 2, column, value) for (row, column), value in bad.items()]
    assert rows(context) == {}
    left = loaded(context, file(size, bad), leave_out=True)
    assert left.request is not None
    assert left.upload.report["refused"] == len(bad)
    assert left.request.status == "pending_review"
