"""The dataset that files are loaded into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import Schema

from lakeshelf.errors import LakeError
from lakeshelf.ingestion.declared.spec import FILE_ID, FILE_LINE, Spec
from lakeshelf.ingestion.errors import DeclarationError
from lakeshelf.ingestion.io.fencing import LOADED, committed, fence
from lakeshelf.lake.form import owners
from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.form.dataset import LIBRARY, Dataset
from lakeshelf.lake.form.schemas import is_lossless
from lakeshelf.lake.place.errors import Conflict, explained
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import Tables

OWN_LAYER = "ops"


class Target:
    """The table of a dataset, as files are loaded into it.

    Args:
        lake: The lake.
        name: The dataset.
    """

    def __init__(self, lake: Tables, name: str) -> None:
        self._lake = lake
        self.name = name

    @property
    def exists(self) -> bool:
        """Whether the table is there."""
        return tables.exists(self._lake.root, self.name)

    def refusal(self) -> str:
        """Why no files may be loaded into it; empty: they may."""
        if self.name.startswith(f"{OWN_LAYER}/"):
            return f"{self.name} is one of the platform's own books"
        if self.exists:
            handle = tables.open_table(self._lake.root, self.name, to_read=True)
            named = owners.owner_of(handle)
            if named not in (None, self._lake.writer):
                return str(owners.refusal(self.name, named))
        known = self.known()
        if known is not None and known.owner not in (LIBRARY, self._lake.writer):
            return f"{self.name} is written by {known.owner} alone"
        return ""

    def known(self) -> Dataset | None:
        """The dataset of the catalogue, or of the table that is there; None: neither."""
        if self.name in self._lake.catalog or self.exists:
            return self._lake.dataset(self.name)
        return None

    def ensure(self, spec: Spec) -> None:
        """Create the table, or give it the columns that it lacks.

        Raises:
            DeclarationError: A column has another type than the spec says.
        """
        if not self.exists:
            self._create(spec)
        handle = tables.open_table(self._lake.root, self.name)
        has = {field.name: field.type for field in self._lake.snapshot(self.name).schema}
        for field in spec.schema:
            if field.name in has and not is_lossless(field.type, has[field.name]):
                raise DeclarationError(
                    f"column {field.name} of {self.name} is {has[field.name]}, declared as {field.type}",
                    hint="correct the declaration, or load into another dataset",
                )
        missing = pa.schema([field for field in spec.schema if field.name not in has])
        if len(missing):
            with explained(f"{self.name} got no column {', '.join(missing.names)}", LakeError):
                handle.alter.add_columns(
                    list(Schema.from_arrow(missing).fields), post_commithook_properties=HOOKS
                )

    def is_committed(self, batch_id: str) -> bool:
        """Whether a batch committed its rows here."""
        return self.exists and committed(tables.open_table(self._lake.root, self.name), batch_id)

    def fence(self, batch_id: str) -> bool:
        """Give a batch up, unless it committed its rows; whether it did."""
        handle = tables.open_table(self._lake.root, self.name)
        return fence(handle, self.name, batch_id, self._lake.stamp)

    def append(self, rows: pa.Table, batch_id: str) -> bool:
        """Add rows; whether the batch stands in the table now: False, it was given up."""
        self._lake.append(self.name, self._fitting(rows), txn=(batch_id, LOADED))
        return self.is_committed(batch_id)

    def merge(self, rows: pa.Table, keys: Sequence[str], batch_id: str) -> bool:
        """Add rows whose keys are not there; whether the batch stands in the table now."""
        self._lake.merge(self.name, self._fitting(rows), keys, txn=(batch_id, LOADED))
        return self.is_committed(batch_id)

    def replace(self, rows: pa.Table, file_ids: Sequence[int], batch_id: str) -> bool:
        """Make rows the only rows of files; whether the batch stands in the table now."""
        where = [(FILE_ID, "in", list(file_ids))]
        self._lake.replace(self.name, self._fitting(rows), where, txn=(batch_id, LOADED))
        return self.is_committed(batch_id)

    def write_full(self, rows: Callable[[], pa.RecordBatchReader], batch_id: str) -> bool:
        """Make rows the only rows of the dataset; whether the batch stands in the table now."""
        self._lake.overwrite(self.name, rows, txn=(batch_id, LOADED))
        return self.is_committed(batch_id)

    def read_all(self, file_ids: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of files."""
        return self._lake.read(
            self.name, columns=columns, where=[(FILE_ID, "in", list(file_ids))]
        ).read_all()

    def lines(self, file_ids: Sequence[int]) -> dict[int, set[int]]:
        """File → lines of it that are in the dataset; every file has an entry."""
        lines: dict[int, set[int]] = {file_id: set() for file_id in file_ids}
        if not self.exists or FILE_ID not in self._lake.snapshot(self.name).schema.names:
            return lines
        rows = self.read_all(file_ids, (FILE_ID, FILE_LINE))
        for file_id, line in zip(
            rows[FILE_ID].to_pylist(), rows[FILE_LINE].to_pylist(), strict=True
        ):
            lines[file_id].add(line)
        return lines

    def schema(self) -> pa.Schema:
        """Its columns."""
        return self._lake.snapshot(self.name).schema

    def _create(self, spec: Spec) -> None:
        options: Mapping[str, Any] = {
            "key": spec.key,
            "partition_by": spec.partition_by,
            "doc": spec.doc,
        }
        try:
            self._lake.create(self.name, spec.schema, exist_ok=True, **options)
        except Conflict:
            if not self.exists:
                raise

    def _fitting(self, rows: pa.Table) -> pa.Table:
        return fitted(rows, self.schema())


def fitted(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the columns of a table; those that they lack are null."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
