"""Rules that a row can break."""

from __future__ import annotations

from lakeshelf.ingestion.declared.parsed import RowRefusal, shortened

RULES = {
    "columns": "a CSV row has more or fewer values than the header",
    "json": "a line is no JSON object",
    "unknown_column": "a JSON object has a name that is no column",
    "type": "a value has not the form of its column's type; `007`, `+1` and `1e5` are numbers where one is declared",
    "cell": "a cell of Excel is an error, a formula without a value, merged, or has too many digits",
    "range": "a value is too large, too fine, or no time of the calendar or of its zone",
    "partition": "a partition column is null, empty, `__HIVE_DEFAULT_PARTITION__`, or too long to name a folder",
    "key": "a key column is null or empty",
    "required": "a required column is null or empty",
    "minimum": "a value is below the column's minimum",
    "maximum": "a value is above the column's maximum",
    "enum": "a value is none of those that the column has",
    "date": "a file's own `date` is not the local day of the event",
}
"""What a row can break, and when."""


def message(refusal: RowRefusal) -> str:
    """A refusal as one line: where, which value, and what is wrong with it."""
    where = f"line {refusal.line}" + (f", column {refusal.column!r}" if refusal.column else "")
    value = "" if refusal.value is None else f" {shortened(refusal.value)!r}"
    return f"{where}:{value} breaks the rule {refusal.rule} ({RULES[refusal.rule]})"
