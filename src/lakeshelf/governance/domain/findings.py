"""What the judges of a dataset's rules found, complete: never a sample.

docs/design/governance.md#validation
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Severity

Point = Literal["cell", "preview", "submit", "approve", "merge", "restore"]
"""When rows are judged."""
BLOCKING: tuple[Severity, ...] = ("error", "fatal")
"""Severities that block where a change introduces them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that a row violates, or that could not be judged.

    Attributes:
        rule: Name of the rule.
        severity: That of the rule; `fatal` for one that could not be judged.
        row_id: Key of the row; None: the rule could not be judged, on any row.
        column: Column, the first one of a rule about several; None: as `row_id`.
        value: Value of the column, as JSON.
        message: The sentence that does not hold, or why the rule could not be judged.
        introduced: Whether the same row of the table does not violate it.
    """

    rule: str
    severity: Severity
    row_id: str | None
    column: str | None
    value: Any
    message: str
    introduced: bool

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Violations:
    """Every row that violates a rule in a column; findings as columns, because there can be millions.

    Attributes:
        rule: As `Finding` has it, and so are `severity`, `column` and `message`.
        row_ids: Keys of the rows.
        values: Values of the column, as JSON texts.
        introduced: Whether the change brings it.
    """

    rule: str
    severity: Severity
    column: str | None
    message: str
    row_ids: pa.StringArray
    values: pa.StringArray
    introduced: pa.BooleanArray

    @classmethod
    def unjudged(cls, rule: str, column: str, why: str) -> Violations:
        """A rule that could not be judged, which counts as a fatal violation that the change brings."""
        message = f"rule {rule} could not be judged on {column}: {why}"
        one = pa.array([None], pa.string()), pa.array(["null"]), pa.array([True])
        return cls(rule, "fatal", None, message, *one)

    def __len__(self) -> int:
        return len(self.row_ids)

    def __iter__(self) -> Iterator[Finding]:
        columns = (self.row_ids, self.values, self.introduced)
        for row_id, value, introduced in zip(*map(_items, columns), strict=True):
            yield Finding(
                self.rule,
                self.severity,
                row_id,
                self.column,
                json.loads(value),
                self.message,
                introduced,
            )

    def of_rows(self, ids: pa.StringArray) -> Violations:
        """Those of some rows."""
        kept = pc.is_in(self.row_ids, value_set=ids)
        names = ("row_ids", "values", "introduced")
        return replace(self, **{name: getattr(self, name).filter(kept) for name in names})

    @cached_property
    def new(self) -> int:
        """How many the change introduces."""
        return pc.sum(self.introduced).as_py() or 0

    def as_json(self) -> dict[str, Any]:
        """What the change introduces, without the rows, as JSON."""
        names = ("rule", "severity", "column", "message")
        return {name: getattr(self, name) for name in names} | {"introduced": self.new}


@dataclass(frozen=True)
class ValidationReport:
    """What was found at a point.

    Attributes:
        point: When rows were judged.
        definition: Version of the definition.
        rows: Rows that were judged.
        violations: What was found, by rule and column; a rule about several columns stands with the first.
        deferred: Rules that need the table and are judged at preview.
    """

    point: Point
    definition: int
    rows: int
    violations: tuple[Violations, ...] = ()
    deferred: tuple[str, ...] = ()

    @property
    def findings(self) -> Iterator[Finding]:
        """One after the other, in the order of rules and rows."""
        return (finding for violations in self.violations for finding in violations)

    def of_rows(self, ids: pa.StringArray) -> Iterator[Finding]:
        """The findings of some rows, in the same order."""
        return (finding for violations in self.violations for finding in violations.of_rows(ids))

    def cells(self, severities: Collection[str]) -> set[tuple[str, str | None]]:
        """Row and column of what the change violates by rules of some severities, and each of the rows with None."""
        return {
            (row_id, column)
            for one in self.violations
            if one.severity in severities
            for row_id in one.row_ids.filter(one.introduced).to_pylist()
            for column in (one.column, None)
        }

    @cached_property
    def introduced(self) -> Counter[Severity]:
        """How many findings the change introduces, by severity."""
        return self._counted(lambda violations: violations.new)

    @cached_property
    def present(self) -> Counter[Severity]:
        """How many findings the same rows of the table have too, by severity; they block nothing."""
        return self._counted(lambda violations: len(violations) - violations.new)

    @property
    def blocked(self) -> bool:
        """Whether the change introduces an error or worse."""
        return any(self.introduced[severity] for severity in BLOCKING)

    def summary(self) -> dict[str, Any]:
        """The report without its findings, as JSON."""
        return {
            "point": self.point,
            "definition": self.definition,
            "rows": self.rows,
            "introduced": dict(self.introduced),
            "present": dict(self.present),
            "rules": [one.as_json() for one in self.violations if one.new],
            "deferred": list(self.deferred),
            "blocked": self.blocked,
        }

    def _counted(self, number: Any) -> Counter[Severity]:
        counts: Counter[Severity] = Counter()
        for violations in self.violations:
            counts[violations.severity] += number(violations)
        return +counts


def _items(column: pa.Array) -> Iterator[Any]:
    return (item.as_py() for item in column)
