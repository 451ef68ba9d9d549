"""A lake whose every text is meant to be obeyed by a terminal, and what must not come out of it."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime
from decimal import Decimal as Number
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG, Table
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    ListOf,
    Struct,
    Type,
)
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.stack.machine.processes import identify

LINK = "\x1b]8;;http://example.org\x1b\\click\x1b]8;;\x1b\\"
TEXT = f"a\x1b[31mred\x9b0m\x07{LINK}\u202e\u2066b\r\nerror: forged\t[red]c[/] [/] :smile: \x00end"
"""Colours, a bell, a link, another direction, a line of its own, markup of rich."""
DATASET = "sales/lines"

_VALUES: dict[Type, Any] = {
    STRING: TEXT,
    BINARY: TEXT.encode(),
    LONG: 1,
    DOUBLE: 1.0,
    BOOLEAN: False,
    DATE: date(2026, 3, 1),
    TIMESTAMP: datetime(2026, 3, 1, tzinfo=UTC),
}


def _log(folder: Path) -> None:
    """What a process logged, and what its children printed."""
    folder.mkdir(parents=True)
    line = {"at": "2026-03-01T10:00:00Z", "level": "info", "event": TEXT, "query": TEXT}
    (folder / "streams.jsonl").write_text(json.dumps({**line, "exception": TEXT}) + "\n")
    (folder / "streams.log").write_text(TEXT)


def lake(root: Path) -> Lake:
    """The product's tables with a row each, and a dataset of somebody else with two commits."""
    for table in CATALOG.tables.values():
        tables.ensure(root, table)
        _write(root, table)
    _log(root / "_stack" / "logs")
    made = Lake(root, who=TEXT, why=TEXT)
    for number in (1, 2):
        rows = {"id": [number], "item\x1b[31m[red]": [TEXT], "nested": [{"x": [TEXT]}]}
        made.append(DATASET, pa.table(rows))
    _stack(root / "_stack")
    return made


def _write(root: Path, table: Table) -> None:
    row = {column.name: _value(column) for column in table.columns}
    schema = arrow_contract.schema(table.columns)
    handle = tables.open_table(root, table.name)
    write = Write.once(Txn("test", handle.version() + 1))
    writing.append(handle, table.name, pa.Table.from_pylist([row], schema=schema), write)


def _value(column: Field) -> Any:
    if column.enum:
        return column.enum[0]
    if column.type in (LONG, DOUBLE) and column.maximum is not None:
        return min(1, column.maximum)
    return _of(column.type)


def _of(kind: Type) -> Any:
    if isinstance(kind, Decimal):
        return Number(0)
    if isinstance(kind, ListOf):
        return [_of(kind.element)]
    if isinstance(kind, Struct):
        return {field.name: _value(field) for field in kind.fields}
    return _VALUES[kind]


def _stack(folder: Path) -> None:
    """A stack that seems to run, with a part and a query that say why they failed."""
    folder.mkdir(parents=True, exist_ok=True)
    process = vars(identify(os.getpid()))
    part = {**process, "state": "failed", "restarts": 1, "error": TEXT, "ended": TEXT}
    told = {"state": TEXT, "lake": TEXT, "bootstrap_servers": TEXT, "parts": {TEXT: part}}
    (folder / "stack.json").write_text(json.dumps({**process, **told, "error": TEXT}))
