"""What stands on each shelf: the signed sum of its movements (docs/design/retail.md#state)."""

from lakeshelf.streams.declare.job import Fold, Job, Movements

SHELF_STATE = Fold(
    table="cleansed/shelf_state",
    topic="shelf_state",
    movements=(
        Movements(
            source="{shelf_events}",
            where="event_type <> 'weight_change'",
            values={
                "shelf_id": "shelf_id",
                "store_id": "store_id",
                "item_id": "item_id",
                "balance": "CASE WHEN event_type IN ('pickup', 'removal') THEN -quantity ELSE quantity END",
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
    derive={"current_stock": "greatest(balance, 0)"},
)

JOB = Job(
    name="shelf-aggregator",
    awaited=True,
    doc="Mirrors shelf events and keeps the balance of every shelf.",
    mirrors=("shelf_events",),
    updates=(SHELF_STATE,),
    trigger_ms=250,
)
