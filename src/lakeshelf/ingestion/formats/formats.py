"""Formats of files: which one a name says, and what each is read by."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import PurePosixPath

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import MAX_BYTES, Parsed
from lakeshelf.ingestion.declared.spec import Spec
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import csv_rows, jsonl_rows, parquet_rows, xlsx_rows

FORMATS = ("csv", "jsonl", "parquet", "xlsx")
PACKED = ".gz"
_PACKABLE = ("csv", "jsonl")
_TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".crdownload", ".filepart", ".swp", "~")

_WAYS = {
    (
        "zip",
        "bz2",
        "xz",
        "zst",
        "7z",
        "tar",
        "tgz",
        "gz",
    ): "unpack it (only csv and jsonl may be .gz)",
    ("xls", "xlsb", "xlsm", "ods"): "save it as .xlsx",
    ("json", "ndjson"): "name it .jsonl, with an object a line",
    ("txt", "tsv", "tab", "dat"): "name it .csv, and declare its delimiter",
}


def way_of(name: str) -> str:
    """What makes a file of another format one that is loaded, after a semicolon; empty: nobody knows."""
    ending = PurePosixPath(name.lower()).suffix[1:]
    return next((f"; {way}" for endings, way in _WAYS.items() if ending in endings), "")


def format_of(name: str) -> str | None:
    """The format that a file's name says; None: none that is loaded."""
    lowered = name.lower()
    ending = PurePosixPath(lowered.removesuffix(PACKED)).suffix[1:]
    if ending not in FORMATS or (lowered.endswith(PACKED) and ending not in _PACKABLE):
        return None
    return ending


def is_temporary(name: str) -> bool:
    """Whether a name says that its file is hidden or not yet whole."""
    return name.startswith((".", "_", "~$")) or name.lower().endswith(_TEMPORARY)


def parse(content: bytes, name: str, spec: Spec | None, dialect: Dialect = PLAIN) -> Parsed:
    """What a file holds.

    Args:
        content: Its content.
        name: Its name, which says the format.
        spec: What its dataset has; None: not known yet.
        dialect: How its text is written.

    Raises:
        FileRefused: It cannot be read.
    """
    kind = format_of(name)
    unpacked = _unpacked(content) if name.lower().endswith(PACKED) else content
    if not unpacked:
        raise FileRefused("the file is empty")
    if kind == "csv":
        return csv_rows.parse(unpacked, dialect)
    if kind == "jsonl":
        return jsonl_rows.parse(unpacked, spec, dialect)
    if kind == "parquet":
        return parquet_rows.parse(unpacked, spec, dialect)
    return xlsx_rows.parse(unpacked, dialect)


def _unpacked(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            unpacked = packed.read(MAX_BYTES + 1)
    except EOFError as error:
        raise FileRefused("the gzip file is cut off") from error
    except (OSError, zlib.error) as error:
        raise FileRefused(f"the gzip file is damaged: {error}") from error
    if len(unpacked) > MAX_BYTES:
        raise FileRefused(f"the file has more than {MAX_BYTES:,} bytes unpacked; split it")
    return unpacked
