"""Cells of a file that are refused: by their keys, or by what the rows would violate."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.importing import REFUSED
from lakeshelf.governance.domain.findings import BLOCKING, ValidationReport
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.changes.requests import StagedJudgement
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.storage.logs import Log

_KEY_RULES = {
    "repeated_key": "the key is there more than once",
    "present_key": "the dataset has a row of this key, and `append` only adds",
    "unknown_key": "the dataset has no row of this key, and keys are made by the server: leave it empty",
}


def of_keys(definition: Definition, rule: str, ids: pa.StringArray, lines: pa.Array) -> pa.Table:
    """Rows whose keys cannot be."""
    texts = {"column": ", ".join(definition.key), "rule": rule, "message": _KEY_RULES[rule]}
    fixed = {name: pa.repeat(pa.scalar(text), len(ids)) for name, text in texts.items()}
    return pa.table({"line": lines, "row_id": ids, "value": ids, **fixed}).select(REFUSED.names)


def violations(judgement: StagedJudgement | None, ids: pa.StringArray, lines: pa.Array) -> pa.Table:
    """What the rows violate, with the lines that they stand in."""
    places = () if judgement is None else _blocking(judgement.report, ids, lines)
    return pa.concat_tables([REFUSED.empty_table(), *places])


def _blocking(report: ValidationReport, ids: pa.StringArray, lines: pa.Array) -> Iterator[pa.Table]:
    for one in report.violations:
        if one.severity not in BLOCKING or not one.new:
            continue
        rows, values = one.row_ids.filter(one.introduced), one.values.filter(one.introduced)
        texts = {"column": one.column, "rule": one.rule, "message": one.message}
        fixed = {
            name: pa.repeat(pa.scalar(text, pa.string()), len(rows)) for name, text in texts.items()
        }
        places = lines.take(pc.index_in(rows, value_set=ids))
        yield pa.table({"line": places, "row_id": rows, "value": values, **fixed}).select(
            REFUSED.names
        )


def log(context: Context, upload: Upload) -> Log:
    """Where the refused cells of an upload are kept."""
    folder = context.folder(upload.project, upload.dataset).upload(upload.id)
    return Log(context.root, f"{folder}/refused", REFUSED)
