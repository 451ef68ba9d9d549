"""How a file says what it was exported from, and how large it may be once it is unpacked."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace

import pyarrow as pa

from lakeshelf.governance.domain.editing.exchange import PROPERTY, SHEET, ExportMark
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.ingestion.declared.dialect import Dialect
from lakeshelf.ingestion.formats import formats, parquet_rows

MOST_UNPACKED = 512 * 1024 * 1024
"""Bytes of a packed file, unpacked."""
MOST_CELLS = 50_000_000
"""Cells of a Parquet file, whose bytes say little of how many they are."""
_WORKBOOK = "xl/workbook.xml"
_FIRST_LINE = 1_000


def require_bounded(content: bytes, format_: str) -> None:
    """Refuse what unpacks to more than can be read in bounded memory.

    Raises:
        GovernanceError: `body_too_large`.
    """
    if format_ == "xlsx" and (unpacked := _unzipped(content)) > MOST_UNPACKED:
        raise _too_large(f"{unpacked:,} bytes", MOST_UNPACKED)
    if format_ == "parquet" and (metadata := _parquet_metadata(content)) is not None:
        if (cells := metadata.num_rows * metadata.num_columns) > MOST_CELLS:
            raise _too_large(f"{cells:,} cells", MOST_CELLS)
        if (unpacked := parquet_rows.unpacked_bytes(content)) > MOST_UNPACKED:
            raise _too_large(f"{unpacked:,} bytes", MOST_UNPACKED)


def read_mark(content: bytes, format_: str, dialect: Dialect) -> tuple[ExportMark | None, Dialect]:
    """What a file was exported from, and how to read what stands below."""
    if format_ == "csv":
        line = content[:_FIRST_LINE].partition(b"\n")[0].decode(dialect.encoding, "replace")
        mark = ExportMark.of_comment(line.rstrip("\r"))
        return mark, dialect if mark is None or dialect.header else replace(dialect, header=2)
    if format_ == "xlsx":
        return _of_sheet(content), dialect
    return (_of_metadata(content) if format_ == "parquet" else None), dialect


def _of_sheet(content: bytes) -> ExportMark | None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if SHEET.encode() not in archive.read(_WORKBOOK):
                return None
    except (zipfile.BadZipFile, KeyError, OSError, ValueError, NotImplementedError):
        return None  # what is no workbook is refused where it is read
    rows = formats.parse(content, "mark.xlsx", None, Dialect(sheet=SHEET)).table.to_pylist()
    return _of(rows[0]) if len(rows) == 1 else None


def _of_metadata(content: bytes) -> ExportMark | None:
    metadata = _parquet_metadata(content)
    written = (metadata and metadata.metadata) or {}
    return _of(json.loads(written[PROPERTY])) if PROPERTY in written else None


def _of(fields: object) -> ExportMark | None:
    """The mark of two fields; None: somebody else wrote them."""
    if not isinstance(fields, dict) or not str(fields.get("version", "")).isdecimal():
        return None
    return ExportMark(str(fields.get("dataset")), int(fields["version"]))


def _unzipped(content: bytes) -> int:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return 0  # what is no workbook is refused where it is read


def _parquet_metadata(content: bytes) -> pa.parquet.FileMetaData | None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    try:
        return pq.read_metadata(pa.BufferReader(content))
    except (pa.ArrowException, OSError, ValueError):
        return None  # what is no Parquet is refused where it is read


def _too_large(size: str, most: int) -> GovernanceError:
    return refused("body_too_large", f"the file has {size} unpacked", hint="split it", most=most)
