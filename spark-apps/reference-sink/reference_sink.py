"""The latest profile of each shelf; a tombstone removes it (docs/design/retail.md#events)."""

from lakeshelf.streams.declare.job import Job, Latest, View

PROFILES = Latest(table="staging/shelf_profiles", source="{shelf_profiles}")

SHELF_PROFILES = View(
    table="curated/shelf_profiles",
    removes=True,
    sql="""
        SELECT shelf_id, store_id, item_id, name, category, subcategory, max_stock, unit_weight, unit_price,
            standard_batch_size, shelf_life_days, warehouse_capacity, version, deleted AS removed
        FROM {staging_shelf_profiles} LEFT SEMI JOIN {touched_staging_shelf_profiles} USING (shelf_id)""",
)

JOB = Job(
    name="reference-sink",
    doc="Keeps the latest profile of every shelf.",
    updates=(PROFILES, SHELF_PROFILES),
    trigger_ms=1000,
)
