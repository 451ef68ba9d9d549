# ruff: noqa: PLC0415 - what is heavy is imported by the call that needs it
"""The stack: live numbers, status, lag, what is wrong; batches, refused records, tables, lineage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import Query

from lakeshelf.governance.api.calling import By, In, Limit, Now, Offset, On, router, shop_tables
from lakeshelf.governance.api.routes.shop.rows import Status, Table
from lakeshelf.governance.api.routes.shop.shapes import (
    Batches,
    DiagnosisAnswer,
    Examined,
    GraphAnswer,
    NumbersAnswer,
    NumbersHistory,
    RefusedRecords,
    TablesAnswer,
    Word,
)
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop import pipeline

routes = router("pipeline", shop_tables)


@routes.get("/numbers")
def get_numbers(caller: By, live: Now) -> NumbersAnswer:
    """What people watch, as it is now; null for what cannot be known. `/events?topics=live` sends it each second."""
    require_reading(caller)
    point = live.newest()
    return NumbersAnswer(id=point.id, numbers=point.numbers)


@routes.get("/numbers/history")
def get_history(caller: By, live: Now) -> NumbersHistory:
    """Live numbers of the last ten minutes, one a second in which somebody asked or listened; gaps are not filled."""
    require_reading(caller)
    return NumbersHistory(points=[point.kept for point in live.history()])


@routes.get("/status")
def get_status(context: On, caller: By, shop: In) -> Status:
    """How queries, components, parts and tables are, with what is wrong and what to do, as `lakeshelf status`."""
    return pipeline.status(context, caller, shop)


@routes.get("/lag")
def get_lag(context: On, caller: By, shop: In) -> Mapping[str, Mapping[str, int]]:
    """Query → topic → records that are not folded yet."""
    return pipeline.lags(context, caller, shop)


@routes.get("/doctor")
def get_doctor(context: On, caller: By, shop: In) -> Examined:
    """What keeps machine, Kafka and lake from working, each with its way out, as `lakeshelf doctor`; for admins."""
    checks = [
        DiagnosisAnswer.model_validate(one) for one in pipeline.examined(context, caller, shop)
    ]
    return Examined(ok=all(one.ok for one in checks), checks=checks)


@routes.get("/ledger")
def list_batches(
    context: On, caller: By, query: Word = None, offset: Offset = 0, limit: Limit = 100
) -> Batches:
    """Batches, the newest first: what was read, what became of it, what was committed."""
    from lakeshelf.governance.services.shop import looking

    listed = looking.batches(context, caller, query, offset, limit)
    return Batches.model_validate(listed)


@routes.get("/quarantine")
def list_refused(
    context: On,
    caller: By,
    topic: Word = None,
    reason: Word = None,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 20,
) -> RefusedRecords:
    """Records that were refused, the newest first, whole; how many there are in all, and by reason."""
    from lakeshelf.governance.services.shop import looking

    listed = looking.refused_records(context, caller, topic, reason, offset, limit)
    return RefusedRecords.model_validate(listed)


@routes.get("/tables")
def list_tables(context: On, caller: By, offset: Offset = 0, limit: Limit = 100) -> TablesAnswer:
    """Tables and views that the caller sees, by name: columns, documentation, key, who writes, version."""
    return TablesAnswer.model_validate(pipeline.tables(context, caller, offset, limit))


@routes.get("/tables/{layer}/{table}")
def get_table(context: On, caller: By, layer: str, table: str) -> Table:
    """A table or view that the caller sees."""
    return pipeline.table(context, caller, f"{layer}/{table}")


@routes.get("/lineage")
def get_lineage(
    context: On,
    caller: By,
    shop: In,
    focus: Annotated[str | None, Query(min_length=1, max_length=200)] = None,
) -> GraphAnswer:
    """What everything is made from, topics, jobs and tables; with `focus` what leads to a node and away from it."""
    from lakeshelf.governance.services.shop import lineage

    return GraphAnswer.model_validate(lineage.lineage(context, caller, shop, focus))
