"""Stock of an item in a store, on shelves, on the way, in the back room (docs/design/retail.md#state)."""

from lakeshelf.streams.declare.job import Fold, Job, Movements, View

TRANSIT = Fold(
    table="staging/product_transit",
    movements=(
        Movements(
            source="{wh_events}",
            where="event_type = 'wh_out'",
            values={"item_id": "item_id", "store_id": "store_id", "sent": "quantity"},
        ),
        Movements(
            source="{shelf_events}",
            where="event_type = 'restock' AND coalesce(reason, '') <> 'opening_balance'",
            values={"item_id": "item_id", "store_id": "store_id", "arrived": "quantity"},
        ),
    ),
    combine={"sent": "sum", "arrived": "sum"},
)

TOTALS = View(
    table="curated/product_total_state",
    sql="""
        WITH touched AS (
            SELECT item_id, store_id FROM {touched_staging_product_transit}
            UNION SELECT item_id, store_id FROM {shelf_state}
            UNION SELECT item_id, store_id FROM {wh_state}),
        shelves AS (
            SELECT item_id, store_id, sum(current_stock) AS units FROM {cleansed_shelf_state}
            LEFT SEMI JOIN touched USING (item_id, store_id) GROUP BY item_id, store_id),
        rooms AS (
            SELECT item_id, store_id, sum(wh_current_stock) AS units FROM {cleansed_wh_state}
            LEFT SEMI JOIN touched USING (item_id, store_id) GROUP BY item_id, store_id)
        SELECT t.item_id, t.store_id, coalesce(s.units, 0) AS shelf_stock,
            coalesce(m.sent - m.arrived, 0) AS in_transit, coalesce(r.units, 0) AS warehouse_stock,
            coalesce(s.units, 0) + coalesce(m.sent - m.arrived, 0) + coalesce(r.units, 0) AS total_stock
        FROM touched AS t
        LEFT JOIN shelves AS s ON s.item_id = t.item_id AND s.store_id = t.store_id
        LEFT JOIN rooms AS r ON r.item_id = t.item_id AND r.store_id = t.store_id
        LEFT JOIN {staging_product_transit} AS m ON m.item_id = t.item_id AND m.store_id = t.store_id""",
)

JOB = Job(
    name="product-total-state",
    doc="Sums the stock of every item and store.",
    updates=(TRANSIT, TOTALS),
    trigger_ms=2000,
)
