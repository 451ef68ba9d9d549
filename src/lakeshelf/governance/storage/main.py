"""The canonical table of a dataset: opened at one version, changed by one conditional commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.delta import profile_properties
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.values import whole
from lakeshelf.governance.errors import refused
from lakeshelf.governance.storage.layout import OWNER, Folder
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Commit, Txns
from lakeshelf.lake.form.dataset import PROPERTY, Dataset, Datasets
from lakeshelf.lake.rows.diff import CHANGE_TYPE, DELETE, INSERT
from lakeshelf.lake.rows.snapshot import Entry, Snapshot

TOPIC = f"{PROPERTY}topic"
"""Property of a table whose rows go to a topic, set when it is created."""
QUIET_KINDS = ("binding", "fence", "foreign", "definition")
"""Kinds of our commits that change no row."""
QUIET_OPERATIONS = (
    "ADD COLUMN",
    "ADD FEATURE",
    "CREATE TABLE",
    "OPTIMIZE",
    "SET TBLPROPERTIES",
    "VACUUM END",
    "VACUUM START",
)
"""Operations of Delta that change no row."""
MOST_ROWS = 200_000
"""Rows that are held to be looked up together."""
FEW_KEYS = 1_000
"""Keys up to which the library chooses files by them; beyond, all rows pass by."""
ROWS_A_KEY = 10
"""Rows that pass by at once, for each key that is looked for."""


@dataclass(frozen=True)
class MainTable:
    """The canonical table of a dataset, for its owner.

    Attributes:
        folder: Where it lies.
        definition: The dataset as it is defined.
    """

    folder: Folder
    definition: Definition

    @property
    def lake(self) -> Lake:
        """The lake, with this dataset in its catalogue, and as the owner of it."""
        dataset = Dataset(
            self.folder.name,
            schema=self.definition.schema,
            key=self.definition.key,
            writers="one",
            owner=OWNER,
            path=self.folder.main,
            properties=self._properties,
        )
        return Lake(self.folder.root, Datasets([dataset]), who=OWNER, writer=OWNER)

    @property
    def _properties(self) -> dict[str, str]:
        topic = self.definition.topic
        return profile_properties("shared") | ({} if topic is None else {TOPIC: topic})

    def create(self) -> None:
        """Make the table, without rows; nothing where it is."""
        self.lake.create(self.folder.name, exist_ok=True)

    def opened(self, version: int | None = None) -> OpenedTable:
        """The table at its newest version, or at one."""
        lake = self.lake
        return OpenedTable(self, lake, lake.snapshot(self.folder.name, version))


@dataclass(frozen=True)
class OpenedTable:
    """The canonical table at one version, which every reading and the one write go by.

    Attributes:
        table: The table.
        lake: The lake that it was opened in.
        snapshot: The table at the version.
    """

    table: MainTable
    lake: Lake
    snapshot: Snapshot

    @property
    def version(self) -> int:
        """The version."""
        return self.snapshot.version

    def reader(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """All rows as a stream, in the order of the definition's columns; errors as for `rows`."""
        return self.snapshot.scan(self._known(columns or self.table.definition.schema.names))

    def rows(self, keys: pa.Table) -> pa.Table:
        """The rows that have one of the keys, in the columns of the definition.

        Args:
            keys: The key columns; rows of them that the table lacks are left out.

        Raises:
            GovernanceError: `storage_unavailable`: the table is not the one that the definition describes.
        """
        schema = self.table.definition.schema
        if not keys.num_rows:
            return schema.empty_table()
        return _with_all(_of_keys(pa.concat_tables(self.some(keys, schema.names)), keys), schema)

    def some(self, keys: pa.Table, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The rows whose first column of the key is among those of the keys, a table at a time, in no order.

        Args:
            keys: The key columns.
            columns: Columns that are wanted; those that the table lacks are left out.
        """
        first = keys.column_names[0]
        distinct = pc.unique(whole(keys[first]))
        where = [(first, "in", distinct.to_pylist())] if len(distinct) <= FEW_KEYS else None
        reader = self.snapshot.scan(self._known(columns), where)
        yield reader.schema.empty_table()
        batches = (pa.Table.from_batches([batch]) for batch in reader)
        # Each look-up hashes all keys that are wanted, so it is made for many more rows.
        for rows in regrouped(batches, max(FEW_KEYS, min(ROWS_A_KEY * len(distinct), MOST_ROWS))):
            yield rows.filter(pc.is_in(rows[first], distinct))

    def _known(self, columns: Sequence[str]) -> list[str]:
        """Those of the columns that the table has; one of another type, or no key, is the work of somebody else."""
        schema, definition = self.snapshot.schema, self.table.definition
        foreign = [name for name in definition.key if name not in schema.names]
        known = [name for name in columns if name in schema.names]
        foreign += [
            name for name in known if schema.field(name).type != definition.schema.field(name).type
        ]
        if foreign:
            raise refused(
                "storage_unavailable",
                f"version {self.version} of {self.table.folder.name} is not as its definition says "
                f"({', '.join(foreign)}): somebody else changed the table",
                hint="bring an earlier version back with the tool that changed it",
                columns=foreign,
                version=self.version,
            )
        return known

    def is_done(self, app_id: str, number: int) -> bool:
        """Whether the commit of that identity stands in the table at this version."""
        recorded = self.snapshot.handle.transaction_version(app_id)
        return recorded is not None and recorded >= number

    def version_of(self, number: int) -> int:
        """The version that a change request made; this one where its entry is no longer in the history."""
        history = self.lake.history(self.table.folder.name)
        made = (one.version for one in history if one.metadata.get("cr_id") == number)
        return next(made, self.version)

    def changed_since(self, version: int) -> bool:
        """Whether rows changed after a version; one of which nothing is known any more counts as a change."""
        later = range(version + 1, self.version + 1)
        if not later:
            return False
        history = self.lake.history(self.table.folder.name, len(later))
        quiet = {entry.version for entry in history if _is_quiet(entry)}
        return not quiet.issuperset(later)

    def apply(
        self, rows: pa.Table, deleted: pa.Table, txn: Txns, metadata: Mapping[str, Any]
    ) -> Commit:
        """Change rows in one commit at exactly this version.

        Args:
            rows: Whole rows that are new or differ.
            deleted: Keys of rows that go.
            txn: Identity of the change.
            metadata: What the commit says of itself.

        Raises:
            Conflict: The table is no longer at this version.
        """
        schema = self.table.definition.schema
        gone = _with_all(deleted, pa.schema([f.with_nullable(True) for f in schema]))
        kinds = pa.array([INSERT] * rows.num_rows + [DELETE] * gone.num_rows, pa.string())
        changes = pa.concat_tables([_with_all(rows, gone.schema), gone])
        return self.lake.merge(
            self.table.folder.name,
            changes.append_column(CHANGE_TYPE, kinds),
            self.table.definition.key,
            txn=txn,
            metadata=metadata,
            schema_mode=self._schema_mode,
            expected=self.version,
        )

    def insert(self, rows: pa.Table, txn: Txns, metadata: Mapping[str, Any]) -> Commit:
        """Add rows of keys that the table lacks, in one commit at exactly this version; errors as for `apply`."""
        return self.lake.append(
            self.table.folder.name,
            _with_all(rows, self.table.definition.schema),
            txn=txn,
            metadata=metadata,
            schema_mode=self._schema_mode,
            expected=self.version,
        )

    @property
    def _schema_mode(self) -> Literal["merge"] | None:
        """`merge` where the table lacks columns that the definition gained: the commit adds them."""
        lacks = set(self.table.definition.schema.names) - set(self.snapshot.schema.names)
        return "merge" if lacks else None

    def fence(self, txn: Txns, metadata: Mapping[str, Any]) -> Commit:
        """An empty commit at exactly this version, behind which no older handle can write.

        Raises:
            Conflict: The table is no longer at this version.
        """
        return self.lake.note(
            self.table.folder.name, txn=txn, metadata=metadata, expected=self.version
        )


def regrouped(tables: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Tables of so many rows each, but for the last, which has fewer; none without rows."""
    gathered: list[pa.Table] = []
    for table in tables:
        gathered.append(table)
        while sum(map(len, gathered)) >= rows:
            whole = pa.concat_tables(gathered)
            yield whole[:rows]
            gathered = [whole[rows:]]
    if sum(map(len, gathered)):
        yield pa.concat_tables(gathered)


def _is_quiet(entry: Entry) -> bool:
    kind = entry.metadata.get("kind")
    return entry.operation in QUIET_OPERATIONS if kind is None else kind in QUIET_KINDS


def _of_keys(rows: pa.Table, keys: pa.Table) -> pa.Table:
    """The rows that have one of the keys, where a key has several columns."""
    if keys.num_columns == 1:
        return rows
    return rows.join(
        keys.group_by(keys.column_names).aggregate([]), keys.column_names, join_type="left semi"
    )


def _with_all(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in the columns of a schema; those that they lack are null."""
    columns = [
        rows[field.name].cast(field.type)
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
