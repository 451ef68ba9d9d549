"""The rows of a change, judged by the rules of a definition.

docs/design/governance.md#validation
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain import values
from lakeshelf.governance.domain.definition import ROW_ID, Definition
from lakeshelf.governance.domain.findings import Point, ValidationReport, Violations
from lakeshelf.governance.domain.rows import nowhere
from lakeshelf.governance.domain.values import whole
from lakeshelf.governance.validation.counting import Main, Others, occurrences
from lakeshelf.governance.validation.frame import Frame, frames, measure_name
from lakeshelf.governance.validation.remote import ExpectationResult, Worker
from lakeshelf.governance.validation.suite import ColumnCheck, checks, expectation


def validated(
    point: Point,
    definition: Definition,
    new: pa.Table,
    base: pa.Table,
    main: Main,
    others: Others,
    worker: Worker,
    columns: Collection[str] | None = None,
) -> ValidationReport:
    """Judge all rows of a change.

    At point `cell`, rules that need the table are named as deferred.

    Args:
        point: When they are judged.
        definition: Whose rules; they are `checked`.
        new: Whole rows as they would be, with their `row_id` as text.
        base: Whole rows as they are in main: those that `new` replaces, and those that are deleted.
        main: Columns of all rows of main, at the version of `base`.
        others: A column of all rows of another dataset, by both names.
        worker: The process that judges.
        columns: Only rules about one of these columns; None: all rules.

    Raises:
        GovernanceError: `validator_unavailable`, where no verdict came in time; `storage_unavailable`, where rows
            could not be counted.
    """
    chosen = checks(definition, columns)
    judged = [check for check in chosen if point != "cell" or not check.kind.whole]
    deferred = tuple(dict.fromkeys(check.rule.name for check in chosen if check not in judged))
    parts = frames(judged, new, base, main, others) if judged and len(new) else iter(())
    collected = _judged(point, judged, parts, worker)
    violations = tuple(one for check in collected for one in check.violations())
    return ValidationReport(point, definition.version, len(new), violations, deferred)


def newly_repeated(definition: Definition, new: pa.Table, base: pa.Table, main: Main) -> int:
    """How many rows of a change have a value that has to be unique and that another row has by now; without a worker.

    Args:
        definition: Whose rules.
        new: Whole rows as they would be, with their `row_id`.
        base: Rows of main that they replace, and those that are deleted.
        main: Columns of all rows of main.
    """
    repeated = nowhere(len(new))
    place = pc.index_in(whole(new[ROW_ID]), whole(base[ROW_ID]))
    for check in checks(definition, None):
        if check.rule.kind == "unique":
            come, present = (
                pc.fill_null(pc.greater(counts, 1), False)
                for counts in occurrences(check, new, base, main, _nothing)
            )
            before = pc.fill_null(present.take(place), False)
            repeated = pc.or_(repeated, pc.and_(come, pc.invert(before)))
    return int(pc.sum(repeated).as_py() or 0)


def _nothing(dataset: str, column: str) -> pa.RecordBatchReader:
    raise LookupError(f"{dataset}.{column} is no matter of a unique rule")


@dataclass
class _Violations:
    """What violates a check, frame by frame."""

    check: ColumnCheck
    rows: list[pa.Table] = field(default_factory=list)
    introduced: list[pa.Array] = field(default_factory=list)
    raised: str | None = None

    def add(self, verdict: ExpectationResult, frame: Frame) -> None:
        self.raised = self.raised or verdict.raised
        new, old = _sides(verdict, frame)
        if len(new):
            names = list(dict.fromkeys([ROW_ID, self.check.columns[0].name]))
            self.rows.append(frame.rows.select(names).take(new))
            self.introduced.append(pa.array(~np.isin(new, old)))

    def violations(self) -> Iterator[Violations]:
        rule, column = self.check.rule, self.check.columns[0]
        if self.raised is not None:
            yield Violations.unjudged(rule.name, column.name, self.raised)
        if self.rows:
            rows = pa.concat_tables(self.rows)
            cells = whole(rows[column.name])
            yield Violations(
                rule.name,
                rule.severity,
                column.name,
                self.check.message,
                whole(rows[ROW_ID]),
                pa.array(values.texts(column, cells), pa.string()),
                pa.concat_arrays(self.introduced),
            )


def _judged(
    point: Point, judged: Sequence[ColumnCheck], parts: Iterator[Frame], worker: Worker
) -> list[_Violations]:
    suite = [expectation(check, measure_name(number)) for number, check in enumerate(judged)]
    collected = [_Violations(check) for check in judged]
    for frame in parts:
        verdicts = worker.judge(point, suite, frame.measures)
        for each, verdict in zip(collected, verdicts, strict=True):
            each.add(verdict, frame)
    return collected


def _sides(
    verdict: ExpectationResult, frame: Frame
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Which rows violate as they would be, and which as they are."""
    rows = np.array(verdict.unexpected, np.int64)
    size = len(frame.rows)
    return rows[rows < size], frame.before[rows[rows >= size] - size]
