"""The manifest, `ops/files`: every change is a commit that conflicts with any other.

All changes carry one application id with a number that counts them. Delta lets no two commits of one id pass each
other, and whoever comes second finds its number taken: it reads again and decides again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.errors import LakeError
from lakeshelf.ingestion.domain.manifest import WAITING, File, FileIdentity, files_of
from lakeshelf.lake.form.commits import Commit, Txn, Write
from lakeshelf.lake.form.dataset import of_contract
from lakeshelf.lake.place.errors import Conflict, NotFound, explained
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.rows.reading import scan, schema_of
from lakeshelf.lake.write import merging, writing

FILES = Ops.FILES
CHANGES = "lakeshelf.ingestion.changes"
"""Application id of every change of the manifest; its version counts them."""
IDS = "lakeshelf.ingestion.file_id"
"""Application id whose version is the last `file_id` that was given: it outlives the rows, so none is given twice."""
ATTEMPTS = 100
"""Times that a change is decided again: every one that fails is one that another process made."""
_KNOWN = ("file_id", "dataset", "source", "path", "sha256")


class Manifest:
    """The manifest of a lake.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Tables) -> None:
        self._lake = lake

    def resolve(self, files: Sequence[File]) -> list[File]:
        """Register files that are not known yet.

        Args:
            files: Their `file_id` does not count.

        Returns:
            Those that are new, with the ids that they were given.
        """
        hashes = pa.array({file.sha256 for file in files}, pa.string())

        def decide(handle: DeltaTable, known: pa.Table) -> list[File]:
            alike = known.filter(pc.is_in(known["sha256"], hashes))
            here = {FileIdentity(*row) for row in _rows(alike, _KNOWN[1:])}
            last = max(handle.transaction_version(IDS) or 0, pc.max(known["file_id"]).as_py() or 0)
            new = {file.identity: file for file in files if file.identity not in here}
            return [replace(file, file_id=last + n) for n, file in enumerate(new.values(), 1)]

        return self._change(None, decide, _KNOWN, writing_ids=True) if files else []

    def known(self) -> set[tuple[Any, ...]]:
        """Address, size and time of change of all files: what looks like one of them is not read again."""
        handle = self._opened()
        table = scan(handle, FILES, ("address", "size", "modified_at")).read_all()
        return set(_rows(table, ("address", "size", "modified_at")))

    def change(
        self, where: Where | None, decide: Callable[[list[File]], Sequence[File]]
    ) -> list[File]:
        """Change files in one commit; none when nothing is decided.

        Args:
            where: Which files are looked at.
            decide: Those files → the changed ones. It is asked again when somebody else was quicker.

        Raises:
            TransitionRefused: `decide` refuses; nothing is written.
        """
        return self._change(where, lambda _, rows: list(decide(files_of(rows))))

    def claim(self, decide: Callable[[pa.Table], Sequence[File]]) -> list[File]:
        """Take files that are pending or running, as `change` does; `decide` is given their rows."""
        return self._change([("status", "in", list(WAITING))], lambda _, rows: list(decide(rows)))

    def files(self, where: Where | None = None) -> list[File]:
        """Files, by id."""
        return files_of(self.rows(where))

    def rows(self, where: Where | None = None) -> pa.Table:
        """Rows of the manifest, by id."""
        try:
            rows = scan(self._opened(create=False), FILES, where=where).read_all()
        except NotFound:
            return of_contract(CATALOG.tables[FILES]).schema.empty_table()  # type: ignore[union-attr]
        return rows.sort_by("file_id")

    def _change(
        self,
        where: Where | None,
        decide: Callable[[DeltaTable, pa.Table], list[File]],
        columns: Sequence[str] | None = None,
        *,
        writing_ids: bool = False,
    ) -> list[File]:
        handle = self._opened()

        def attempt() -> list[File]:
            rows = scan(handle, FILES, columns, where).read_all()
            changed = decide(handle, rows)
            if changed:
                self._commit(handle, changed, writing_ids)
            return changed

        return writing.repeated(handle, attempt, ATTEMPTS)

    def _commit(self, handle: DeltaTable, changed: Sequence[File], new: bool) -> None:
        number = (handle.transaction_version(CHANGES) or 0) + 1
        ids = (Txn(IDS, changed[-1].file_id),) if new else ()
        write = Write((Txn(CHANGES, number), *ids), self._lake.stamp)
        rows = pa.Table.from_pylist([vars(file) for file in changed], schema_of(handle))
        commit = self._committed(handle, rows, write, new)
        if commit.version is None and write.is_done(handle):
            raise Conflict("another process changed the manifest", hint="repeat the command")

    def _committed(self, handle: DeltaTable, rows: pa.Table, write: Write, new: bool) -> Commit:
        if new:
            return writing.append(handle, FILES, rows, write)
        return merging.upsert(handle, FILES, rows, ("file_id",), write)

    def _opened(self, create: bool = True) -> DeltaTable:
        if create:
            ensured(self._lake, FILES)
        return tables.open_table(self._lake.root, FILES)


def ensured(lake: Tables, name: str) -> None:
    """Create or evolve a table of the library; somebody else may do it at the same time."""
    for last in (False, True):
        try:
            with explained(f"{name} was not created", LakeError):
                tables.ensure(lake.root, CATALOG.tables[name])
            return
        except Conflict:
            if last:
                raise


def _rows(table: pa.Table, columns: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[column].to_pylist() for column in columns), strict=True)
