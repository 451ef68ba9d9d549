"""Profiles and promotions of shelves at their latest; a tombstone removes one (docs/design/retail.md#events)."""

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

PLANNED = Latest(table="staging/promotions", source="{promotions}")

PROMOTIONS = View(
    table="curated/promotions",
    removes=True,
    sql="""
        SELECT shelf_id, week, display, mailer, known_at, version, deleted AS removed
        FROM {staging_promotions} LEFT SEMI JOIN {touched_staging_promotions} USING (shelf_id, week)""",
)

JOB = Job(
    name="reference-sink",
    doc="Keeps the latest profile of every shelf, and the promotions that are planned for it.",
    updates=(PROFILES, SHELF_PROFILES, PLANNED, PROMOTIONS),
    trigger_ms=1000,
)
