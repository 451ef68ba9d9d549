"""Rows of statements, kept in files of this machine until they are fetched: by page, as CSV, as Parquet."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakeshelf.governance.domain.editing.exchange import escaped
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.query import formats

KEPT_S = 3_600.0
"""Seconds for which the rows of a statement are kept."""
MOST_BYTES = 1024**3
"""Bytes of the rows of one statement, in memory as Arrow has them."""
CELL_BYTES = 40
"""What a cell takes of a page beside its value."""
_NAME = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True)
class Results:
    """Files of rows, one a job.

    Attributes:
        folder: Where they lie, for this user alone.
    """

    folder: Path

    def keep(
        self, job: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
    ) -> tuple[int, bool]:
        """Write rows down as they come; how many, and whether they were too many bytes to take all.

        Raises:
            GovernanceError: `storage_unavailable`: they cannot be written; nothing is left behind.
        """
        file = self._file(job)
        with _undone(file):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, _flat(schema)) as writer:
                return _written(writer, _flat(schema), batches)

    def page(
        self, job: str, offset: int, limit: int, heaviest: float = math.inf
    ) -> list[list[Any]]:
        """Rows from an offset on, as JSON.

        Args:
            job: The job.
            offset: Rows that are passed over.
            limit: Most rows.
            heaviest: Bytes that they take at most; one row may take more.

        Raises:
            GovernanceError: `gone`.
        """
        rows: list[list[Any]] = []
        left = heaviest
        with self._opened(job) as reader:
            for batch in _batches(reader):
                if offset < batch.num_rows:
                    asked = batch.slice(offset, limit - len(rows))
                    part = _as_heavy(asked, left, 0 if rows else 1)
                    rows += [
                        [formats.plain(value) for value in row] for row in formats.rows([part])
                    ]
                    left -= _weight(part)
                    if part.num_rows < asked.num_rows:
                        break
                offset = max(offset - batch.num_rows, 0)
                if len(rows) >= limit:
                    break
        return rows

    def csv(self, job: str, *, escape: bool = False) -> Iterator[bytes]:
        """All rows as CSV, in parts; opened before the first is asked for.

        Args:
            job: The job.
            escape: Whether texts that a spreadsheet would calculate or change are escaped, as those of exports are.

        Raises:
            GovernanceError: `gone`.
        """
        escaping = escaped if escape else None
        return self._parts(
            job, lambda schema, batches: map(str.encode, formats.as_csv(schema, batches, escaping))
        )

    def parquet(self, job: str) -> Iterator[bytes]:
        """All rows as a Parquet file, in parts.

        Raises:
            GovernanceError: `gone`; `request_invalid`: Parquet lacks the type of a column.
        """
        return self._parts(job, formats.as_parquet)

    def sweep(self, now: float) -> None:
        """Remove files that are older than `KEPT_S`.

        Args:
            now: Seconds, as files have them.
        """
        for file in self.folder.glob("*.arrow") if self.folder.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):  # another process was first
                if file.stat().st_mtime <= now - KEPT_S:
                    file.unlink()

    def _parts(self, job: str, form: Any) -> Iterator[bytes]:
        with contextlib.ExitStack() as stack:
            reader = stack.enter_context(self._opened(job))
            parts = form(reader.schema, _batches(reader))
            try:
                first = next(parts)
            except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
                raise refused(
                    "request_invalid", f"these rows cannot be written so: {error}", hint="take csv"
                ) from error
            return _streamed(first, parts, stack.pop_all())

    @contextlib.contextmanager
    def _opened(self, job: str) -> Iterator[pa.ipc.RecordBatchFileReader]:
        file = self._file(job)
        try:
            source = pa.memory_map(str(file))
        except FileNotFoundError:
            raise _gone(job) from None
        with source, pa.ipc.open_file(source) as reader:
            yield reader

    def _file(self, job: str) -> Path:
        if not _NAME.fullmatch(job):
            raise _gone(job)
        return self.folder / f"{job}.arrow"


def _as_heavy(part: pa.RecordBatch, most: float, least: int) -> pa.RecordBatch:
    """The first rows, as many as weigh so much."""
    while part.num_rows > least and _weight(part) > most:
        part = part.slice(0, max(part.num_rows // 2, least))
    return part


def _weight(part: pa.RecordBatch) -> int:
    return int(part.nbytes + CELL_BYTES * part.num_rows * part.num_columns)


def _written(
    writer: pa.RecordBatchFileWriter, schema: pa.Schema, batches: Iterable[pa.RecordBatch]
) -> tuple[int, bool]:
    rows = size = 0
    for batch in batches:
        if size + batch.nbytes > MOST_BYTES:
            return rows, True
        writer.write_batch(pa.record_batch(list(map(_decoded, batch.columns)), schema=schema))
        rows, size = rows + batch.num_rows, size + batch.nbytes
    return rows, False


@contextlib.contextmanager
def _undone(file: Path) -> Iterator[None]:
    """Leave no file behind where it is not whole."""
    try:
        yield
    except BaseException as error:
        with contextlib.suppress(OSError):  # it never came to a file
            file.unlink()
        if isinstance(error, OSError) and not isinstance(error, GovernanceError):
            raise refused(
                "storage_unavailable",
                f"rows of statements cannot be kept: {error.strerror or error}",
                hint="see that the disk of the API has space",
            ) from error
        raise


def _flat(schema: pa.Schema) -> pa.Schema:
    """The schema without dictionaries, of which a file of Arrow has one a column for all batches."""
    return pa.schema(
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    )


def _decoded(column: pa.Array) -> pa.Array:
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _batches(reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def _streamed(first: bytes, parts: Iterator[bytes], held: contextlib.ExitStack) -> Iterator[bytes]:
    with held:
        yield first
        yield from parts


def _gone(job: str) -> GovernanceError:
    return refused(
        "gone",
        f"rows of job {job[:80]} are no longer kept",
        hint="run the statement again",
        job=job[:80],
    )
