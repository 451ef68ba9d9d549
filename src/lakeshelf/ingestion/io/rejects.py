"""Rows that were refused, `ops/file_rejects`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.ingestion.declared.parsed import RowRefusal
from lakeshelf.ingestion.io.fencing import LOADED, fence, fenced
from lakeshelf.ingestion.io.manifest import ensured
from lakeshelf.lake.form.dataset import of_contract
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import Tables

REJECTS = Ops.FILE_REJECTS
KEY = CATALOG.tables[REJECTS].key
SCHEMA = of_contract(CATALOG.tables[REJECTS]).schema


class Rejects:
    """Refused rows of a lake's files.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Tables) -> None:
        self._lake = lake

    def record(
        self,
        refused: Mapping[int, Sequence[RowRefusal]],
        dataset: str,
        batch_id: str,
        now: datetime,
        part: int = LOADED,
    ) -> bool:
        """Record refused rows, once for a batch; what is recorded and unresolved stays as it is.

        Args:
            refused: File → rules that its rows broke.
            dataset: Dataset that refused them.
            batch_id: Batch of files.
            now: When.
            part: Number of the part, where a batch is recorded in several.

        Returns:
            Whether the batch still may: False, another worker has taken it over.
        """
        rows = [_row(i, one, dataset, now) for i, refusals in refused.items() for one in refusals]
        if not rows:
            return True
        self._ensure()
        here = {self._key(row): row["resolved_at"] for row in self.of(list(refused))}
        new = [row for row in rows if here.get(self._key(row), now) is not None]
        table = pa.Table.from_pylist(new, SCHEMA)
        if new and here:
            self._lake.merge(REJECTS, table, KEY, txn=(batch_id, part))
        elif new:
            self._lake.append(REJECTS, table, txn=(batch_id, part))
        return not fenced(self._handle(), batch_id)

    def resolve(self, loaded: Mapping[int, set[int]], now: datetime) -> None:
        """Say of refused rows that are in the dataset now when they came there.

        Args:
            loaded: File → lines of it that are in the dataset.
            now: When.
        """
        rows = [
            row | {"resolved_at": now}
            for row in self.of(list(loaded), unresolved=True)
            if row["file_line"] in loaded[row["file_id"]]
        ]
        if rows:
            self._lake.merge(REJECTS, pa.Table.from_pylist(rows, SCHEMA), KEY)

    def of(self, file_ids: Sequence[int], *, unresolved: bool = False) -> list[dict[str, Any]]:
        """Refused rows of files, by file and line."""
        if not file_ids or not tables.exists(self._lake.root, REJECTS):
            return []
        where: list[Any] = [("file_id", "in", list(file_ids))]
        if unresolved:
            where.append(("resolved_at", "is null"))
        rows = self._lake.read(REJECTS, where=where).read_all()
        order = [("file_id", "ascending"), ("file_line", "ascending"), ("rule", "ascending")]
        return list(rows.sort_by([*order, ("column", "ascending")]).to_pylist())

    def left(self, file_ids: Sequence[int]) -> dict[int, list[RowRefusal]]:
        """File → refusals that are not resolved, by line; every file has an entry."""
        refusals: dict[int, list[RowRefusal]] = {file_id: [] for file_id in file_ids}
        for row in self.of(file_ids, unresolved=True):
            values = (row[name] for name in ("file_line", "rule", "column", "value", "row"))
            refusals[row["file_id"]].append(RowRefusal(*values))
        return refusals

    def lines(self, file_ids: Sequence[int]) -> dict[int, set[int]]:
        """File → lines of it that are still refused; every file has an entry."""
        return {i: {one.line for one in refused} for i, refused in self.left(file_ids).items()}

    def fence(self, batch_id: str) -> None:
        """Give a batch up: it records no refused rows any more."""
        self._ensure()
        fence(self._handle(), REJECTS, batch_id, self._lake.stamp, always=True)

    def _handle(self) -> Any:
        return tables.open_table(self._lake.root, REJECTS)

    def _ensure(self) -> None:
        if not tables.exists(self._lake.root, REJECTS):
            ensured(self._lake, REJECTS)

    @staticmethod
    def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in KEY)


def _row(file_id: int, refusal: RowRefusal, dataset: str, now: datetime) -> dict[str, Any]:
    return {
        "file_id": file_id,
        "file_line": refusal.line,
        "dataset": dataset,
        "row": refusal.row,
        "rule": refusal.rule,
        "column": refusal.column,
        "value": refusal.value,
        "created_at": now,
        "resolved_at": None,
    }
