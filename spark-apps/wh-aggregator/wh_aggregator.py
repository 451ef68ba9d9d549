"""What the back room holds for each shelf: the signed sum of its movements (docs/design/retail.md#state)."""

from lakeshelf.streams.declare.job import Fold, Job, Movements

WH_STATE = Fold(
    table="cleansed/wh_state",
    topic="wh_state",
    movements=(
        Movements(
            source="{wh_events}",
            values={
                "shelf_id": "shelf_id",
                "store_id": "store_id",
                "item_id": "item_id",
                "balance": "CASE WHEN event_type IN ('wh_out', 'wh_removal') THEN -quantity ELSE quantity END",
                "last_event_time": "event_time",
                "version": "1",
                "first_event_time": "event_time",
                "first_event_id": "event_id",
            },
        ),
    ),
    combine={"balance": "sum", "last_event_time": "max", "version": "sum"},
    first=("store_id", "item_id"),
    first_by=("first_event_time", "first_event_id"),
    derive={"wh_current_stock": "greatest(balance, 0)"},
)

JOB = Job(
    name="wh-aggregator",
    doc="Mirrors warehouse events and keeps the balance of every shelf's back-room stock.",
    mirrors=("wh_events",),
    updates=(WH_STATE,),
    trigger_ms=500,
)
