"""Which lots the back room holds: as `wh-aggregator`, by lot (docs/design/retail.md#lots)."""

from lakeshelf.streams.declare.job import Fold, Job, Latest, Movements, View

WH_LOTS = Fold(
    table="staging/wh_lots",
    movements=(
        Movements(
            source="{wh_events}",
            values={
                "shelf_id": "shelf_id",
                "batch_code": "batch_code",
                "moved": "CASE WHEN event_type IN ('wh_out', 'wh_removal') THEN -quantity ELSE quantity END",
                "moves": "1",
                "last_event_time": "event_time",
                "in_received": "CASE WHEN event_type = 'wh_in' THEN received_date END",
                "in_expiry": "CASE WHEN event_type = 'wh_in' THEN expiry_date END",
                "out_received": "CASE WHEN event_type = 'wh_out' THEN received_date END",
                "out_expiry": "CASE WHEN event_type = 'wh_out' THEN expiry_date END",
            },
        ),
        Movements(
            source="{wh_events}",
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

LOT_CATALOG = Latest(table="staging/lot_catalog_wh", source="{batch_catalog}")

WH_BATCH_STATE = View(
    table="cleansed/wh_batch_state",
    topic="wh_batch_state",
    sql="""
        WITH shelves AS (
            SELECT shelf_id FROM {touched_staging_wh_lots}
            UNION SELECT shelf_id FROM {staging_wh_lots} LEFT SEMI JOIN {touched_staging_lot_catalog_wh}
                USING (batch_code)),
        lots AS (SELECT * FROM {staging_wh_lots} LEFT SEMI JOIN shelves USING (shelf_id))
        SELECT l.shelf_id, l.batch_code,
            coalesce(l.in_received, l.out_received) AS received_date,
            coalesce(l.in_expiry, l.out_expiry, c.expiry_date) AS expiry_date,
            l.moved AS balance, greatest(l.moved, 0) AS batch_quantity_warehouse,
            l.last_event_time, s.events + coalesce(c.version, 0) AS version
        FROM lots AS l
        JOIN lots AS s ON s.shelf_id = l.shelf_id AND s.batch_code = ''
        LEFT JOIN {staging_lot_catalog_wh} AS c ON c.batch_code = l.batch_code
        WHERE l.batch_code <> '' AND l.moves > 0""",
)

JOB = Job(
    name="wh-batch-state-updater",
    doc="Keeps the balance of every lot in the back room.",
    updates=(WH_LOTS, LOT_CATALOG, WH_BATCH_STATE),
    trigger_ms=1000,
)
