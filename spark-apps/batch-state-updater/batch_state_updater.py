"""Which lots a store holds, shelf by shelf, and how unnamed receipt units are allotted to them.

The rule is in docs/design/retail.md#lots: the allotment is made anew, always from the whole set of movements of a
shelf, so that it does not depend on their order.
"""

from lakeshelf.streams.declare.job import Fold, Job, Latest, Movements, View

RECEIPT_LINES = """
    SELECT event_id, event_time, line.shelf_id AS shelf_id, line.quantity AS quantity,
        coalesce(line.batch_code, '') AS batch_code
    FROM (SELECT event_id, event_time, explode(items) AS line FROM {pos_transactions}) AS lines"""

SHELF_MOVES = "event_type IN ('removal', 'adjustment') OR (event_type = 'restock' AND reason = 'opening_balance')"
LOT_MOVES = "event_type IN ('wh_in', 'wh_out')"

SHELF_LOTS = Fold(
    table="staging/shelf_lots",
    movements=(
        Movements(
            source="{shelf_events}",
            where=SHELF_MOVES,
            values={
                "shelf_id": "shelf_id",
                "batch_code": "coalesce(batch_code, '')",
                "moved": "CASE WHEN event_type = 'removal' THEN -quantity ELSE quantity END",
                "moves": "1",
                "last_event_time": "event_time",
            },
        ),
        Movements(
            source="{shelf_events}",
            where=SHELF_MOVES,
            values={"shelf_id": "shelf_id", "batch_code": "''", "events": "1"},
        ),
        Movements(
            source="{wh_events}",
            where=LOT_MOVES,
            values={
                "shelf_id": "shelf_id",
                "batch_code": "batch_code",
                "moved": "CASE WHEN event_type = 'wh_out' THEN quantity ELSE 0 END",
                "moves": "CASE WHEN event_type = 'wh_out' THEN 1 ELSE 0 END",
                "last_event_time": "CASE WHEN event_type = 'wh_out' THEN event_time END",
                "in_received": "CASE WHEN event_type = 'wh_in' THEN received_date END",
                "in_expiry": "CASE WHEN event_type = 'wh_in' THEN expiry_date END",
                "out_received": "CASE WHEN event_type = 'wh_out' THEN received_date END",
                "out_expiry": "CASE WHEN event_type = 'wh_out' THEN expiry_date END",
            },
        ),
        Movements(
            source="{wh_events}",
            where=LOT_MOVES,
            values={"shelf_id": "shelf_id", "batch_code": "''", "events": "1"},
        ),
        Movements(
            source=RECEIPT_LINES,
            where="quantity > 0",
            values={
                "shelf_id": "shelf_id",
                "batch_code": "batch_code",
                "moved": "CASE WHEN batch_code = '' THEN 0 ELSE -quantity END",
                "moves": "CASE WHEN batch_code = '' THEN 0 ELSE 1 END",
                "sold": "CASE WHEN batch_code = '' THEN quantity ELSE 0 END",
                "last_event_time": "event_time",
            },
        ),
        Movements(
            source=f"SELECT DISTINCT event_id, shelf_id FROM ({RECEIPT_LINES}) AS sold WHERE quantity > 0",
            values={"shelf_id": "shelf_id", "batch_code": "''", "events": "1"},
        ),
    ),
    combine={
        "moved": "sum",
        "moves": "sum",
        "sold": "sum",
        "events": "sum",
        "last_event_time": "max",
        "in_received": "min",
        "in_expiry": "min",
        "out_received": "min",
        "out_expiry": "min",
    },
)

LOT_CATALOG = Latest(table="staging/lot_catalog_store", source="{batch_catalog}")

SHELF_BATCH_STATE = View(
    table="cleansed/shelf_batch_state",
    topic="shelf_batch_state",
    removes=True,
    sql="""
        WITH shelves AS (
            SELECT shelf_id FROM {touched_staging_shelf_lots}
            UNION SELECT shelf_id FROM {staging_shelf_lots} LEFT SEMI JOIN {touched_staging_lot_catalog_store}
                USING (batch_code)),
        movements AS (SELECT * FROM {staging_shelf_lots} LEFT SEMI JOIN shelves USING (shelf_id)),
        named AS (
            SELECT m.shelf_id, m.batch_code, m.moved, greatest(m.moved, 0) AS room, m.last_event_time,
                coalesce(m.in_received, m.out_received) AS received_date,
                coalesce(m.in_expiry, m.out_expiry, c.expiry_date) AS expiry_date,
                coalesce(c.version, 0) AS catalog_version
            FROM movements AS m LEFT JOIN {staging_lot_catalog_store} AS c ON c.batch_code = m.batch_code
            WHERE m.batch_code <> '' AND m.moves > 0),
        unnamed AS (SELECT * FROM movements WHERE batch_code = ''),
        queued AS (
            SELECT n.*, u.sold, u.events, sum(n.room) OVER (
                PARTITION BY n.shelf_id ORDER BY n.expiry_date NULLS LAST, n.received_date NULLS LAST, n.batch_code
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - n.room AS room_before
            FROM named AS n JOIN unnamed AS u ON u.shelf_id = n.shelf_id),
        allotted AS (SELECT *, moved - greatest(least(room, sold - room_before), 0) AS balance FROM queued),
        rooms AS (SELECT shelf_id, sum(room) AS room FROM named GROUP BY shelf_id),
        rest AS (
            SELECT u.*, greatest(u.sold - coalesce(r.room, 0), 0) AS unallotted
            FROM unnamed AS u LEFT JOIN rooms AS r ON r.shelf_id = u.shelf_id)
        SELECT shelf_id, batch_code, received_date, expiry_date, balance,
            greatest(balance, 0) AS batch_quantity_store, last_event_time,
            events + catalog_version AS version, false AS removed
        FROM allotted
        UNION ALL
        SELECT shelf_id, '__UNALLOTTED__', CAST(NULL AS DATE), CAST(NULL AS DATE), moved - unallotted,
            greatest(moved - unallotted, 0), last_event_time, events, moves = 0 AND unallotted = 0
        FROM rest""",
)

JOB = Job(
    name="batch-state-updater",
    doc="Mirrors receipts and keeps the balance of every lot in the stores.",
    mirrors=("pos_transactions",),
    updates=(SHELF_LOTS, LOT_CATALOG, SHELF_BATCH_STATE),
    trigger_ms=1000,
)
