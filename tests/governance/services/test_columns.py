"""Columns that a definition gains, and columns that somebody else changes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.contracts.types import LONG, Field
from lakeshelf.governance.domain.definition import Column
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services import history
from lakeshelf.governance.services.changes import defining
from lakeshelf.governance.services.context import Context
from tests.governance.services.acting import approved, done, insert, merged, rows, set_
from tests.governance.services.conftest import ANN, BEN, DATASET, PROJECT
from tests.governance.services.test_meanwhile import database

__all__ = ["database"]
pytestmark = pytest.mark.timeout(300)


def main(context: Context) -> DeltaTable:
    return DeltaTable(context.root.of(context.folder(PROJECT, DATASET).main))


def test_a_column_that_a_definition_gains_is_written_by_the_next_merge(context: Context) -> None:
    before = done(context, insert("A1"), insert("A2")).merged_version
    with context.metadata.reading() as tx:
        present = tx.datasets.definition(PROJECT, DATASET)
    facing = Column(Field("facings", LONG, "Facings.", required=False))
    wider = present.next(columns=(*present.columns, facing))
    change = defining.propose(context, BEN, PROJECT, DATASET, wider, title="Facings")
    merged(context, approved(context, change, ANN))
    assert rows(context)["A1"].get("facings") is None

    done(context, set_("A1", "min_qty", 7))
    version = main(context).version()
    request = done(context, set_("A1", "facings", 3), insert("A3", facings=4))
    assert main(context).version() == version + 1
    assert {row: cells["facings"] for row, cells in rows(context).items()} == {
        "A1": 3,
        "A2": None,
        "A3": 4,
    }

    merged(context, approved(context, history.revert(context, ANN, PROJECT, request.number)))
    assert rows(context)["A1"]["facings"] is None
    assert before is not None
    restored = history.restore(context, ANN, PROJECT, DATASET, before)
    merged(context, approved(context, restored))
    assert (rows(context)["A1"]["min_qty"], rows(context)["A1"]["facings"]) == (1, None)


@pytest.mark.parametrize(
    "table", [{"shelf_id": ["A1"], "min_qty": ["many"]}, {"another": ["A1"], "min_qty": [1]}]
)
def test_a_table_to_which_somebody_gave_other_columns_is_refused_as_such(
    context: Context, table: dict[str, list[object]]
) -> None:
    done(context, insert("A1"))
    write_deltalake(main(context), pa.table(table), mode="overwrite", schema_mode="overwrite")
    with pytest.raises(GovernanceError, match="somebody else changed the table") as refusal:
        rows(context)
    assert refusal.value.code == "storage_unavailable"
