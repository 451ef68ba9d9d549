# ruff: noqa: S608 - the SQL is put together from constants of this module
"""The books of a lake: raw events added up by shelf and lot, beside the stock of the jobs.

A text that is empty names nothing, so an empty lot is no lot.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.contracts.layers import Cleansed, Raw
from lakeshelf.contracts.validate import UNPROCESSABLE
from lakeshelf.errors import LakeError, first_line
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import reading
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.reconcile.checks import SAMPLES, Check

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Row = Mapping[str, object]

QUARANTINE = Raw.QUARANTINE
PLACE = ("kafka_partition", "kafka_offset", "kafka_timestamp")
MEMORY_LIMIT = "500MB"
UNALLOTTED = "__UNALLOTTED__"

SHELF_LOTS = """
SELECT shelf_id, nullif(batch_code, '') AS batch_code,
       sum(quantity) FILTER (event_type = 'restock' AND reason = 'opening_balance') AS opening,
       sum(quantity) FILTER (event_type = 'restock' AND reason IS DISTINCT FROM 'opening_balance')
           AS restocked,
       sum(quantity) FILTER (event_type = 'pickup') AS picked,
       sum(quantity) FILTER (event_type = 'putback') AS put_back,
       sum(quantity) FILTER (event_type = 'removal') AS removed,
       sum(quantity) FILTER (event_type = 'adjustment') AS adjusted,
       max(event_time) FILTER (event_type IN ('removal', 'adjustment')
           OR event_type = 'restock' AND reason = 'opening_balance') AS last_lot_move
FROM source GROUP BY ALL
"""

WH_LOTS = """
SELECT shelf_id, batch_code,
       sum(quantity) FILTER (event_type = 'wh_in') AS wh_in,
       sum(quantity) FILTER (event_type = 'wh_out') AS wh_out,
       sum(quantity) FILTER (event_type = 'wh_removal') AS wh_removed,
       sum(quantity) FILTER (event_type = 'wh_adjustment') AS wh_adjusted,
       max(event_time) FILTER (event_type = 'wh_out') AS last_out,
       max(event_time) AS last_move,
       coalesce(min(received_date) FILTER (event_type = 'wh_in'),
                min(received_date) FILTER (event_type = 'wh_out')) AS received_date,
       coalesce(min(expiry_date) FILTER (event_type = 'wh_in'),
                min(expiry_date) FILTER (event_type = 'wh_out')) AS expiry_date
FROM source GROUP BY shelf_id, batch_code
"""

SOLD = """
SELECT transaction_id, event_time, store_id, item.shelf_id AS shelf_id,
       nullif(item.batch_code, '') AS batch_code, item.quantity AS quantity,
       item.discount AS discount, item.total_price::DECIMAL(12, 2) AS total_price
FROM (SELECT transaction_id, event_time, store_id, unnest(items) AS item FROM source)
"""

STOCK = {
    "shelf_state": (Cleansed.SHELF_STATE, "'' AS batch_code", "current_stock", "store"),
    "wh_state": (Cleansed.WH_STATE, "'' AS batch_code", "wh_current_stock", "warehouse"),
    "shelf_batch_state": (
        Cleansed.SHELF_BATCH_STATE,
        "batch_code",
        "batch_quantity_store",
        "store",
    ),
    "wh_batch_state": (
        Cleansed.WH_BATCH_STATE,
        "batch_code",
        "batch_quantity_warehouse",
        "warehouse",
    ),
}
"""View: table, lot, column of the stock, location in the discrepancies."""

MOVED = ("opening", "restocked", "picked", "put_back", "removed", "adjusted")
WH_MOVED = ("wh_in", "wh_out", "wh_removed", "wh_adjusted")


def _sums(view: str, **columns: str) -> str:
    """SQL of sums by shelf of a view's columns, named as the keywords."""
    sums = ", ".join(f"sum({column})::BIGINT AS {name}" for name, column in columns.items())
    return f"(SELECT shelf_id, {sums} FROM {view} GROUP BY shelf_id)"


BY_SHELF = f"""
CREATE TABLE book AS
WITH whole AS (
    SELECT shelf_id, coalesce(COLUMNS(* EXCLUDE shelf_id), 0)
    FROM {_sums("moved", **{name: name for name in MOVED})}
    FULL JOIN {_sums("wh_moved", **{name: name for name in WH_MOVED})} USING (shelf_id)
    FULL JOIN {_sums("sold", sold="quantity")} USING (shelf_id)
    FULL JOIN {_sums("shelf_state", shelf="balance")} USING (shelf_id)
    FULL JOIN {_sums("wh_state", warehouse="balance")} USING (shelf_id)
    FULL JOIN {_sums("shelf_batch_state", shelf_lots="balance")} USING (shelf_id)
    FULL JOIN {_sums("wh_batch_state", wh_lots="balance")} USING (shelf_id)
)
SELECT *, wh_out - restocked AS in_transit, picked - put_back - sold AS in_carts FROM whole
"""
"""Movements, receipts and stock by shelf; none are 0."""


DIFFERING = """
CREATE OR REPLACE TEMP TABLE differing AS
WITH surplus AS (
    SELECT concat_ws('/', {keys}) AS key, entry, sum(side) AS times FROM (
        SELECT {keys}, entry, 1 AS side FROM ({expected}) AS entry
        UNION ALL SELECT {keys}, entry, -1 FROM ({actual}) AS entry
    ) GROUP BY ALL HAVING sum(side) <> 0
)
SELECT key, any_value(entry) FILTER (times > 0) AS wanted,
       any_value(entry) FILTER (times < 0) AS had
FROM surplus GROUP BY key
"""
"""Keys whose rows are not the same, or not as many."""


class Books:
    """Tables of a lake at one version each, added up in a DuckDB database.

    Its tables: `moved` and `wh_moved` (raw movements by shelf and lot), `sold` (receipt lines),
    `shelf_state`, `wh_state`, `shelf_batch_state`, `wh_batch_state` (balance and stock), and
    `book` (all of it by shelf).

    Attributes:
        db: The database.
        rows: Rows of each Delta table that was counted so far.
    """

    def __init__(self, root: Root, db: duckdb.DuckDBPyConnection) -> None:
        self.root = root
        self.db = db
        self.rows: dict[str, int] = {}
        self._tables: dict[str, DeltaTable] = {}

    def table(self, name: str) -> DeltaTable:
        """The Delta table `name`, always at the version at which it was first asked for.

        Raises:
            LakeError: There is no such table, or it cannot be read.
        """
        if name not in self._tables:
            try:
                self._tables[name] = DeltaTable(
                    self.root.of(name), storage_options=self.root.options
                )
            except (
                Exception
            ) as error:  # delta-rs raises several unrelated classes for an unreadable log
                raise LakeError(
                    f"no Delta table {name} in {self.root}: {first_line(error)}",
                    hint="run `lakeshelf bootstrap`",
                ) from error
        return self._tables[name]

    def load(self, view: str, name: str, columns: Sequence[str], sql: str = "FROM source") -> None:
        """Make `view` of the table `name`: what `sql` makes of its `columns`, called `source`.

        Rows of records that were isolated, which raw tables may hold, count as refused and are left out.
        """
        table, isolated = self.table(name), self._isolated(name)
        places = PLACE if isolated.num_rows else ()
        scanned = table.scan(columns=list(dict.fromkeys((*columns, *places))))
        self.db.register("scanned", scanned)
        self.db.register("isolated", isolated)
        rest = f"ANTI JOIN isolated USING ({', '.join(PLACE)})" if places else ""
        chosen = f"SELECT {', '.join(columns)} FROM scanned {rest}"
        self.db.execute(f"CREATE OR REPLACE TEMP VIEW source AS {chosen}")
        self.db.execute(f"CREATE OR REPLACE TABLE {view} AS {sql}")
        self.db.execute("DROP VIEW source")
        self.db.unregister("scanned")
        self.db.unregister("isolated")

    def _isolated(self, name: str) -> pa.Table:
        layer, _, topic = name.partition("/")
        where = [("topic", "=", topic), ("reason", "=", UNPROCESSABLE)]
        named = dict(zip(PLACE, ("partition", "offset", "kafka_timestamp"), strict=True))
        if layer != "raw" or name == QUARANTINE:
            return pa.table({place: [] for place in PLACE})
        rows = reading.rows(self.table(QUARANTINE), QUARANTINE, list(named.values()), where)
        return rows.select(list(named.values())).rename_columns(list(PLACE))

    def count(self, view: str, name: str) -> None:
        """Note the rows of `view` as those of the Delta table `name`."""
        (self.rows[name],) = self.figures(f"SELECT count(*) FROM {view}")

    def has(self, view: str) -> bool:
        """Whether there is a table `view` in the database."""
        return bool(
            self.figures("SELECT count(*) FROM duckdb_tables WHERE table_name = ?", [view])[0]
        )

    def figures(self, sql: str, values: Sequence[object] = ()) -> tuple[int, ...]:
        """The one row of whole numbers that a query gives."""
        row = self.db.execute(sql, list(values)).fetchone()
        return tuple(int(value or 0) for value in row or ())

    def compare(self, name: str, title: str, sql: str, values: Sequence[object] = ()) -> Check:
        """A check of the rows (key, expected, found) that `sql` gives.

        Args:
            name: Name of the check.
            title: Its statement.
            sql: Query; rows in which expected and found differ are differences.
            values: Its parameters.
        """
        self.db.execute(
            "CREATE OR REPLACE TEMP TABLE compared AS"
            f" SELECT * FROM ({sql}) AS t(key, expected, found)",
            list(values),
        )
        expected, actual, differences = self.figures(
            "SELECT sum(expected), sum(found), count(*) FILTER (expected IS DISTINCT FROM found)"
            " FROM compared"
        )
        rows = self.db.execute(
            "SELECT key, expected, found FROM compared WHERE expected IS DISTINCT FROM found"
            f" ORDER BY key LIMIT {SAMPLES}"
        ).fetchall()
        sample = tuple(
            f"{key}: expected {_shown(expected_value)}, found {_shown(actual_value)}"
            for key, expected_value, actual_value in rows
        )
        return Check(name, title, expected, actual, differences, sample)

    def compare_rows(
        self, name: str, title: str, keys: Sequence[str], expected: str, actual: str
    ) -> Check:
        """A check that two queries give the same rows; its totals are numbers of rows.

        Args:
            name: Name of the check.
            title: Its statement.
            keys: Columns that tell rows apart; a second row of a key is a difference.
            expected: Query of the rows that the statement asks for.
            actual: Query of the rows that the tables have, with the same columns.
        """
        self.db.execute(DIFFERING.format(expected=expected, actual=actual, keys=", ".join(keys)))
        expected_rows, actual_rows, differences = self.figures(
            f"SELECT (SELECT count(*) FROM ({expected})), (SELECT count(*) FROM ({actual})),"
            " (SELECT count(*) FROM differing)"
        )
        rows = self.db.execute(
            f"SELECT key, wanted, had FROM differing ORDER BY key LIMIT {SAMPLES}"
        ).fetchall()
        return Check(
            name,
            title,
            expected_rows,
            actual_rows,
            differences,
            tuple(_difference(*row) for row in rows),
        )


@contextmanager
def opened(lake_root: str | Path) -> Iterator[Books]:
    """The books of a lake, in a temporary folder that is removed afterwards.

    Args:
        lake_root: Folder or URL of the lake.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    with empty(lake_root) as books:
        _load(books)
        yield books


@contextmanager
def empty(lake_root: str | Path) -> Iterator[Books]:
    """Books that nothing was loaded into yet, otherwise as `opened`."""
    with (
        tempfile.TemporaryDirectory(prefix="reconcile-") as folder,
        quiet(duckdb.connect(f"{folder}/books.duckdb")) as db,
    ):
        db.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = '{folder}/spill'")
        db.execute("SET preserve_insertion_order = false; SET TimeZone = 'UTC'")
        yield Books(Root.at(lake_root), db)


def _shown(value: object) -> object:
    return "nothing" if value is None else value


def _difference(key: str, expected: Row | None, actual: Row | None) -> str:
    """What was expected of a key and what was found, in the columns that differ."""
    names = [
        name
        for name in expected or actual or {}
        if expected is None or actual is None or expected[name] != actual[name]
    ]
    sides = ("nothing" if row is None else _columns(row, names) for row in (expected, actual))
    return "{}: expected {}, found {}".format(key, *sides)


def _columns(row: Row, names: Sequence[str]) -> str:
    return " ".join(f"{name}={_shown(row[name])}" for name in names)


def _load(books: Books) -> None:
    movement = ("shelf_id", "batch_code", "event_type", "event_time", "quantity")
    shelf, warehouse = (*movement, "reason"), (*movement, "received_date", "expiry_date")
    receipt = ("transaction_id", "event_time", "store_id", "items")
    books.load("moved", Raw.SHELF_EVENTS, shelf, SHELF_LOTS)
    books.load("wh_moved", Raw.WH_EVENTS, warehouse, WH_LOTS)
    books.load("sold", Raw.POS_TRANSACTIONS, receipt, SOLD)
    for view, (name, lot, stock, _) in STOCK.items():
        columns = ["shelf_id", *([] if lot.startswith("''") else ["batch_code"]), "balance", stock]
        books.load(
            view, name, columns, f"SELECT shelf_id, {lot}, balance, {stock} AS stock FROM source"
        )
        books.count(view, name)
    books.db.execute(BY_SHELF)
