"""The rules once more, row by row in plain Python, and tables to judge by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Field,
    Type,
)
from lakeshelf.contracts.types import Decimal as DecimalOf
from lakeshelf.governance.domain import values
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.domain.findings import Point, ValidationReport
from lakeshelf.governance.validation.counting import Main, Others
from lakeshelf.governance.validation.judging import validated
from lakeshelf.governance.validation.remote import Worker
from tests.governance.domain.model import equal

Row = Mapping[str, Any]
MONEY, WIDE = DecimalOf(12, 2), DecimalOf(38, 2)
EDGES: Mapping[Type, Sequence[Any]] = {
    LONG: [-(2**63), -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 2, 2**63 - 1],
    DOUBLE: [-math.inf, -1.5, -0.0, 0.0, 0.1, 0.1 + 0.2, 0.3, math.inf, math.nan],
    MONEY: [Decimal(text) for text in ("-0.01", "0.00", "0.09", "0.10", "0.11", "9999999999.99")],
    WIDE: [Decimal(f"{sign}{'9' * 36}.{cents}") for sign in ("-", "") for cents in (98, 99)],
    DATE: [date(1, 1, 1), date(1969, 12, 31), date(1970, 1, 1), date(9999, 12, 31)],
    TIMESTAMP: [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2300, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
    STRING: ["", "null", "NaN", "a", "aa", "é", "e\u0301", "😀", "a\n", "A"],
}
"""Type → values at which judging goes wrong first."""
ALL: Mapping[Type, Sequence[Any]] = {
    **EDGES,
    BOOLEAN: [True, False],
    BINARY: [b"", b"\0", b"null", b"\xff"],
}


def column(name: str, type_: Type) -> Column:
    return Column(Field(name, type_, "A column.", required=False))


def defined(types: Mapping[str, Type], *rules: RowRule) -> Definition:
    columns = [Column(Field("row_id", STRING, "Key.")), *(column(n, t) for n, t in types.items())]
    return Definition(1, tuple(columns), rules=rules)


def table(definition: Definition, rows: Sequence[Row]) -> pa.Table:
    named = [{name: row.get(name) for name in definition.schema.names} for row in rows]
    return pa.Table.from_pylist(named, definition.schema)


def reading(whole: pa.Table) -> Main:
    return lambda columns: whole.select(columns).to_reader()


def nothing_else(dataset: str, name: str) -> pa.RecordBatchReader:
    raise AssertionError(f"{dataset}.{name} is not asked for")


def judged(
    worker: Worker,
    definition: Definition,
    new: Sequence[Row],
    main: Sequence[Row] = (),
    deleted: Sequence[str] = (),
    others: Others = nothing_else,
    point: Point = "merge",
) -> ValidationReport:
    """Rows with `row_id` against all rows of main."""
    touched = {row["row_id"] for row in new} | set(deleted)
    base = [row for row in main if row["row_id"] in touched]
    whole = reading(table(definition, main))
    return validated(
        point, definition, table(definition, new), table(definition, base), whole, others, worker
    )


def found(report: ValidationReport) -> set[tuple[str, str | None, str | None, bool]]:
    return {(f.rule, f.column, f.row_id, f.introduced) for f in report.findings}


def holds(rule: RowRule, types: Mapping[str, Type], row: Row) -> bool:
    """Whether a rule about one row alone holds."""
    first = row[rule.columns[0]]
    if rule.kind == "not_null":
        return first is not None
    if any(row[name] is None for name in rule.columns):
        return True
    return _HOLDS[rule.kind](
        rule.params, column(rule.columns[0], types[rule.columns[0]]), row, rule
    )


def _between(params: Any, about: Column, row: Row, rule: RowRule) -> bool:
    low, high = (values.read(about, params.get(name)) for name in ("minimum", "maximum"))
    value = row[about.name]
    return (low is None or value >= low) and (high is None or value <= high) and value == value  # noqa: PLR0124


def _in_set(params: Any, about: Column, row: Row, rule: RowRule) -> bool:
    return any(equal(row[about.name], values.read(about, v)) for v in params["values"])


def _length(params: Any, about: Column, row: Row, rule: RowRule) -> bool:
    return params.get("minimum", 0) <= len(row[about.name]) <= params.get("maximum", math.inf)


def _compare(params: Any, about: Column, row: Row, rule: RowRule) -> bool:
    first, second = (row[name] for name in rule.columns)
    same = equal(first, second)
    holding = {"<": first < second, "=": same, ">": first > second}
    return not same if params["operator"] == "!=" else any(map(holding.get, params["operator"]))


_HOLDS = {"between": _between, "in_set": _in_set, "length": _length, "compare": _compare}
