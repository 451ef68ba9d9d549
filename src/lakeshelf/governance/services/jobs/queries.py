"""Statements as jobs: one that only reads, in the sandbox of `lakeshelf sql`, its rows kept to be fetched."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.tables.work import BackgroundJob
from lakeshelf.governance.metadata.work import DONE
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs import asked
from lakeshelf.governance.services.jobs.results import Results
from lakeshelf.governance.services.jobs.running import Runner, Running
from lakeshelf.governance.services.reading import querying
from lakeshelf.query import duck, formats, session

MEMORY = "500MB"
"""Memory of a statement."""
MOST_SECONDS = 600.0
MOST_ROWS = 1_000_000
"""Rows of a statement that are kept at most."""
MOST_GOING = 4
"""Statements of one user that have not ended."""


@dataclass(frozen=True)
class QueryRequest:
    """What is asked.

    Attributes:
        sql: One statement that only reads.
        seconds: How long it may take.
        rows: How many of its rows are kept.
    """

    sql: str
    seconds: float = 60.0
    rows: int = MOST_ROWS


def start(
    context: Context, caller: Caller, runner: Runner, results: Results, statement: QueryRequest
) -> tuple[BackgroundJob, Future[None]]:
    """Run a statement; the job, and what ends with it.

    Raises:
        GovernanceError: `forbidden`; `rate_limited`: too many of the caller's have not ended.
    """
    lake = querying.lake_of(context, caller)
    with context.metadata.reading() as tx:
        going = tx.jobs.going(caller.user, asked.QUERY)
    if going >= MOST_GOING:
        raise refused(
            "rate_limited",
            f"{going} statements of {caller.user} are still running",
            hint="wait for one, or cancel it: GET /api/v1/jobs",
            most=MOST_GOING,
        )
    results.sweep(time.time())

    def work(running: Running) -> Object:
        connection = duck.connected(**session.CONFIG)
        running.stop_by(partial(duck.interrupt, connection))
        limits = session.Limits(statement.seconds, MEMORY)
        with session.run(lake, statement.sql, limits=limits, connection=connection) as result:
            cut = formats.Cut(_reported(runner, running, result.batches()), statement.rows)
            rows, is_cut = results.keep(running.job.id, result.schema, cut)
            return {
                "columns": result.schema.names,
                "types": [str(one.type) for one in result.schema],
                "rows": rows,
                "truncated": is_cut or cut.has_more(),
                "tables": {pin.name: pin.version for pin in result.pins},
            }

    return runner.start(caller, asked.QUERY, {"sql": statement.sql}, work)


@dataclass(frozen=True)
class QueryResult:
    """Rows of a statement.

    Attributes:
        job: Its job.
        columns: Names of the columns.
        types: Their types.
        rows: Their values, as JSON.
        total: How many rows are kept.
        truncated: Whether the statement has more than those.
        tables: Table → version that was read.
    """

    job: str
    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    total: int
    truncated: bool
    tables: dict[str, int]


def rows(
    context: Context,
    caller: Caller,
    results: Results,
    job_id: str,
    offset: int,
    limit: int,
    heaviest: int | None = None,
) -> QueryResult:
    """Rows of a statement that has ended, as many as `Results.page` gives.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `gone`; `transition_refused`: it has not ended, or otherwise.
    """
    known = dict(_done(context, caller, job_id))
    total = known.pop("rows")
    page = results.page(job_id, offset, limit, heaviest or math.inf)
    return QueryResult(job_id, rows=page, total=total, **known)


def file(
    context: Context,
    caller: Caller,
    results: Results,
    job_id: str,
    format_: str,
    *,
    escape: bool = False,
) -> Iterator[bytes]:
    """Rows of a statement as `csv` or `parquet`, in parts.

    Args:
        context: What it stands on.
        caller: Whose statement it was.
        results: Where rows are kept.
        job_id: The statement.
        format_: `csv` or `parquet`.
        escape: Whether texts of CSV that a spreadsheet would calculate or change are escaped.

    Raises:
        GovernanceError: As `rows`; `request_invalid`: Parquet lacks the type of a column, or is to be escaped.
    """
    _done(context, caller, job_id)
    if format_ == "csv":
        return results.csv(job_id, escape=escape)
    if escape:
        raise refused(
            "request_invalid",
            "nothing is escaped in Parquet, whose texts stay texts",
            hint="take csv",
        )
    return results.parquet(job_id)


def _done(context: Context, caller: Caller, job_id: str) -> Object:
    """What is known of rows that are there, and are still for the eyes of the caller."""
    job = asked.job(context, caller, job_id).job
    if job.kind != asked.QUERY:
        raise refused("request_invalid", f"job {job.id} is a {job.kind}, which has no rows")
    if job.status != DONE or job.result is None:
        raise refused("transition_refused", f"job {job.id} is {job.status}, not {DONE}")
    querying.lake_of(context, caller).require_seen(job.result["tables"])
    return job.result


def _reported(
    runner: Runner, running: Running, batches: Iterator[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Batches as they come, with word of how many rows these are about once a second."""
    count, said = 0, time.monotonic()
    for batch in batches:
        running.require_going()
        yield batch
        count += batch.num_rows
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            runner.report(running, {"rows": count})
