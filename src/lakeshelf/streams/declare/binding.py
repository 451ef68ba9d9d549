"""SQL of jobs before it runs: every declared text is bound against empty tables of the contract.

DuckDB names a column that is not there, in milliseconds and without a JVM; what a text gives is compared with the
contract of what it is for; and of each text it is known which columns it reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot.errors import SqlglotError

from lakeshelf.contracts import CATALOG, Table
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.errors import ConfigurationError, first_line
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.streams.declare import intake, purity, sql
from lakeshelf.streams.declare.duck import Duck, to_duckdb
from lakeshelf.streams.declare.job import (
    KEYS,
    RELATION,
    TIME,
    TOUCHED,
    DecisionView,
    Fold,
    Job,
    Latest,
    Update,
    View,
    contract,
    tables_by_relation,
)

CHANGED, CURRENT, TOUCHED_KEYS = "changed", "current", "touched"
STAMPED = frozenset({"updated_at"})
"""Columns of a table that the batch adds to what a text gives."""
JUDGED = {"kafka_partition": pa.int32(), "kafka_offset": pa.int64(), "detail": pa.string()}
"""What an objection gives."""
SHORTENING = "statistics_propagation,empty_result_pullup,filter_pushdown,join_filter_pushdown"
"""What would leave columns out of a plan because the tables are empty, or hide them in a scan."""


@dataclass(frozen=True)
class Text:
    """One declared text.

    Attributes:
        of: Part of the job that it is of, as a person would say it.
        sql: The text, relations in braces.
        current: Table that it writes, which it reads as `{current}`.
        gives: Column → its expected type; None: any.
        own: Relations that only this part knows.
    """

    of: str
    sql: str
    current: Table | None = None
    gives: Mapping[str, pa.DataType] | None = None
    own: Mapping[str, pa.Schema] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """A text that binds.

    Attributes:
        of: Part of the job that it is of.
        schema: Names and types of what it gives.
        reads: Relation → columns that it reads, both sorted.
    """

    of: str
    schema: pa.Schema
    reads: Mapping[str, tuple[str, ...]]


def bind(job: Job) -> tuple[Bound, ...]:
    """Bind every text of a job.

    Raises:
        ConfigurationError: A text cannot run, or gives something else than the contract wants.
    """
    return tuple(Binder(job).bound())


def require_bound(jobs: Iterable[Job]) -> None:
    """Refuse jobs of a project whose SQL cannot run, before anything starts; that of the product is bound by its tests.

    Raises:
        ConfigurationError: As for `bind`; it names the command that binds them again.
    """
    for job in jobs:
        try:
            if job.own:
                bind(job)
        except ConfigurationError as error:
            hint = "mend it; `lakeshelf jobs list` checks it and starts nothing"
            raise ConfigurationError(str(error), hint=hint) from error


class Binder:
    """Binds the texts of one job."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._duck = Duck(threads=1)
        self._planner = quiet(duckdb.connect(config={"threads": 1}))
        self._planner.execute(f"SET disabled_optimizers = '{SHORTENING}'")

    def bound(self) -> Iterator[Bound]:
        """Its texts, in the order in which they run."""
        for update in self._job.updates:
            yield from self._update(update)
        for objection in self._job.objections:
            of = f"objection to {objection.topic} ({objection.reason})"
            yield self.bind_text(Text(of, objection.sql, gives=JUDGED))

    def _update(self, update: Update) -> Iterator[Bound]:
        table, of = contract(update), f"{update.kind} of {update.table}"
        own: dict[str, pa.Schema] = {}
        if isinstance(update, Fold | Latest):
            touched = self.bind_text(Text(f"keys of the {of}", sql.touched_keys(update), table))
            own[TOUCHED_KEYS] = touched.schema
            yield touched
        if isinstance(update, DecisionView) and update.scope is not None:
            yield from self._scope(update, table, own)
        yield self.bind_text(Text(of, sql.rows(update), table, _column_types(update), own))
        for emission in update.emits if isinstance(update, DecisionView) else ():
            fields = arrow_contract.schema(CATALOG.topics[emission.topic].fields)
            relations = {CHANGED: arrow_contract.schema(table.columns)}
            gives = dict(zip(fields.names, fields.types, strict=True))
            yield self.bind_text(
                Text(f"{emission.topic} of the {of}", emission.sql, None, gives, relations)
            )

    def _scope(
        self, update: DecisionView, table: Table, own: dict[str, pa.Schema]
    ) -> Iterator[Bound]:
        """Keys of a scope, then what is known of them; the decision reads the last of the two."""
        scope = update.scope
        assert scope is not None
        keys = self.bind_text(Text(f"keys of scope {scope.name}", scope.keys, table))
        own[scope.name] = keys.schema
        yield keys
        if scope.sql is not None:
            text = Text(f"scope {scope.name}", scope.sql, table, own={**own, KEYS: keys.schema})
            known = self.bind_text(text)
            own[scope.name] = known.schema
            yield known

    def bind_text(self, text: Text) -> Bound:
        """Bind one text, of the job or of somebody else who would know what it gives and reads.

        Raises:
            ConfigurationError: It cannot run, or gives something else than it is to give.
        """
        names = RELATION.findall(text.sql)
        empty = {name: self._schema(name, text).empty_table() for name in names}
        try:
            if fault := purity.impurity(self._planner, text.sql, empty):
                raise ConfigurationError(f"{self._place(text)} {fault}")
            schema = self._duck.query(text.sql, **empty).schema
        except (duckdb.Error, SqlglotError) as error:
            what = f"{self._place(text)} does not run: {first_line(error)}"
            raise ConfigurationError(what) from error
        except RecursionError as error:
            raise ConfigurationError(f"{self._place(text)} is nested too deep") from error
        self._compare(text, schema)
        return Bound(text.of, schema, self._reads(text.sql, empty))

    def _reads(self, text: str, empty: Mapping[str, pa.Table]) -> dict[str, tuple[str, ...]]:
        """Columns that a text reads, wherever in it, as DuckDB's plan has them."""
        for name, rows in empty.items():
            self._planner.register("relation", rows)
            self._planner.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS FROM relation')
        planned = self._planner.execute(f"EXPLAIN (FORMAT JSON) {to_duckdb(text)}").fetchone()
        read: dict[str, set[str]] = {name: set() for name in empty}
        for table, columns in _scans(json.loads(planned[1] if planned else "[]")):
            read[table].update(
                filter(None, columns)
            )  # a count of rows projects a column without name
        return {name: tuple(sorted(columns)) for name, columns in sorted(read.items())}

    def _schema(self, name: str, text: Text) -> pa.Schema:
        plain = name.removeprefix(TOUCHED)
        if name in text.own:
            return text.own[name]
        if name == CURRENT and text.current is not None:
            return arrow_contract.schema(text.current.columns)
        if name == TIME:
            return intake.CLOCK_RELATION
        if name in CATALOG.topics:
            return intake.schema(CATALOG.topics[name])
        table = tables_by_relation().get(plain)
        if table is not None:
            keys = (table.column(key) for key in table.key)
            return arrow_contract.schema(table.columns if name == plain else keys)
        raise ConfigurationError(f"{self._place(text)} reads {{{name}}}, which nothing declares")

    def _compare(self, text: Text, schema: pa.Schema) -> None:
        names = [name.lower() for name in schema.names]  # as Spark tells columns apart
        if twice := next((name for name in schema.names if names.count(name.lower()) > 1), None):
            raise ConfigurationError(f"{self._place(text)} gives {twice} twice")
        if text.gives is None:
            return
        for name, expected in text.gives.items():
            if name not in schema.names:
                raise ConfigurationError(f"{self._place(text)} gives no column {name}")
            if not _fits(schema.field(name).type, expected):
                raise ConfigurationError(
                    f"{self._place(text)} gives {name} as {schema.field(name).type}, the contract wants {expected}"
                )
        if other := next((name for name in schema.names if name not in text.gives), None):
            raise ConfigurationError(
                f"{self._place(text)} gives {other}, for which there is no column",
                hint=f"it may give {', '.join(text.gives)}",
            )

    def _place(self, text: Text) -> str:
        return f"job {self._job.name}: the SQL of its {text.of}"


def _scans(plan: list[dict[str, Any]]) -> Iterator[tuple[str, list[str]]]:
    """Table and columns of each scan of a plan."""
    for node in plan:
        info = node.get("extra_info", {})
        if "Table" in info:
            columns = info.get("Projections", [])
            table = info["Table"].rpartition(".")[2].strip('"')
            yield table, [columns] if isinstance(columns, str) else columns
        yield from _scans(node.get("children", []))


def _column_types(update: Update) -> dict[str, pa.DataType]:
    schema = arrow_contract.schema(contract(update).columns)
    types = {f.name: f.type for f in schema if f.name not in STAMPED}
    removes = isinstance(update, View) and update.removes
    return types | ({sql.REMOVED: pa.bool_()} if removes else {})


KINDS = (
    lambda kind: pa.types.is_integer(kind) or pa.types.is_decimal(kind),
    lambda kind: pa.types.is_floating(kind) or pa.types.is_decimal(kind),
    lambda kind: (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    ),
    pa.types.is_date,
    pa.types.is_timestamp,
    pa.types.is_boolean,
    pa.types.is_nested,
    pa.types.is_binary,
)
"""Types of one kind are cast when rows are written; what does not fit then is an error, never another value."""


def _fits(actual: pa.DataType, expected: pa.DataType) -> bool:
    return pa.types.is_null(actual) or any(of(actual) and of(expected) for of in KINDS)
