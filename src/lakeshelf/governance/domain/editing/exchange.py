"""Rows in files that people edit elsewhere: how a file says what it is of, and texts that spreadsheets leave alone.

docs/design/governance.md#files
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

SHEET = "_lakeshelf"
"""Hidden sheet of an exported workbook, with what it is of."""
PROPERTY = b"lakeshelf"
"""Key of the same in the metadata of a Parquet file."""
_COMMENT = re.compile(r'"?# lakeshelf: ([a-z0-9_]+/[a-z0-9_]+) version ([0-9]{1,18})"?[,;\t|\s]*')
_MARK = "'"
ESCAPED = ("csv", "xlsx")
"""Formats of spreadsheets, which texts are escaped for."""
_HAZARDS = r"^['=+\-@\t\r]|^[\s\pZ]*$|[\x00-\x08\x0b-\x1f\x{85}\x{fffe}\x{ffff}]|_x[0-9A-Fa-f]{4}_"
"""Texts that are calculated, dropped or changed by spreadsheets, or that are escaped ones themselves."""
_UNWRITABLE = re.compile(r"[\x00-\x1f\x85\ufffe\uffff]|_x[0-9A-Fa-f]{4}_")


@dataclass(frozen=True)
class ExportMark:
    """What an exported file is of.

    Attributes:
        dataset: Project and dataset, as the library names it.
        version: Version of the table.
    """

    dataset: str
    version: int

    @property
    def comment(self) -> str:
        """The first line of a CSV file."""
        return f"# lakeshelf: {self.dataset} version {self.version}"

    @classmethod
    def of_comment(cls, line: str) -> ExportMark | None:
        """The mark of a first line, as programs may have saved it again; None: it is none."""
        match = _COMMENT.fullmatch(line.removeprefix("\ufeff"))
        return cls(match[1], int(match[2])) if match else None


def escaped(texts: pa.Array) -> pa.Array:
    """Texts as cells: what a spreadsheet would calculate, drop or change begins with an apostrophe.

    Different texts stay different; null stays null, and an empty text becomes an apostrophe.
    """
    hazards = pc.match_substring_regex(texts, _HAZARDS)
    chosen = pc.if_else(hazards, texts, pa.scalar(None, texts.type))
    if chosen.null_count == len(texts):
        return texts
    return pc.coalesce(pa.array([_escaped(text) for text in chosen.to_pylist()], texts.type), texts)


def restored(texts: pa.Array) -> pa.Array:
    """The texts that `escaped` made cells of."""
    marked = pc.starts_with(texts, _MARK)
    chosen = pc.if_else(marked, texts, pa.scalar(None, texts.type))
    if chosen.null_count == len(texts):
        return texts
    return pc.coalesce(
        pa.array([_restored(text) for text in chosen.to_pylist()], texts.type), texts
    )


def _escaped(text: str | None) -> str | None:
    if text is None:
        return None
    if _UNWRITABLE.search(text):
        return _MARK + json.dumps(text, ensure_ascii=True).replace("_x", "\\u005fx")
    return _MARK + text


def _restored(text: str | None) -> str | None:
    """What cannot be an escaped text stays as somebody wrote it."""
    if text is None:
        return None
    rest = text.removeprefix(_MARK)
    if not rest.startswith('"'):
        return rest
    try:
        return str(json.loads(rest))
    except ValueError:
        return rest
