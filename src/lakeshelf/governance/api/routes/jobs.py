"""What takes longer than a call: statements, and calls that their callers did not wait for."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Annotated, Any, Literal

from fastapi import Query
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Jobs, Limit, Offset, On, Rows, router
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs import asked, queries
from lakeshelf.governance.services.jobs.results import Results

routes = router("jobs")
ONE = "/jobs/{job}"
LOOK_S = 0.25
"""How often it is looked whether a job has ended that somebody waits for."""
Seconds = Annotated[float, Query(ge=0, le=shapes.MOST_WAITING_S)]
Heaviest = Annotated[int | None, Query(ge=1, le=2**31 - 1)]
TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@routes.post(
    "/query",
    response_model=answers.QueryAnswer,
    responses={202: {"model": answers.JobAnswer, "description": "not done within `wait` seconds"}},
)
async def query(
    context: On, caller: By, runner: Jobs, results: Rows, body: shapes.Query
) -> answers.QueryAnswer | JSONResponse:
    """Run one statement that only reads, over the tables of the lake and the caller's datasets.

    It is a job of the caller; where it has not ended after `wait` seconds, the answer is that job (202).
    """
    statement = queries.QueryRequest(body.sql, body.seconds, body.keep_rows)
    job, future = await run_in_threadpool(
        queries.start, context, caller, runner, results, statement
    )
    await _end(future, body.wait)
    return await run_in_threadpool(_answer, context, caller, results, job.id, body.max_rows)


@routes.get("/jobs")
def list_jobs(context: On, caller: By, limit: Limit = 100) -> list[answers.JobAnswer]:
    """Jobs of the caller, the newest first."""
    return list(map(answers.JobAnswer.of, asked.jobs(context, caller, limit)))


@routes.get(ONE)
async def get_job(context: On, caller: By, job: str, wait: Seconds = 0) -> answers.JobAnswer:
    """A job of the caller: at once, or when it ends within `wait` seconds."""
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        seen = await run_in_threadpool(asked.job, context, caller, job)
        if seen.has_ended or loop.time() >= until:
            return answers.JobAnswer.of(seen)
        await asyncio.sleep(LOOK_S)


@routes.post(f"{ONE}/cancel")
def cancel(context: On, caller: By, runner: Jobs, job: str) -> answers.JobAnswer:
    """Cancel a job of the caller: one that waits ends, one that runs is told to."""
    return answers.JobAnswer.of(asked.cancel(context, caller, runner, job))


@routes.get(f"{ONE}/rows")
def get_rows(
    context: On,
    caller: By,
    results: Rows,
    job: str,
    offset: Offset = 0,
    limit: Limit = 200,
    heaviest: Heaviest = None,
) -> answers.QueryAnswer:
    """Rows of a statement that has ended, from an offset on.

    With `heaviest`, so many that they take about so many bytes at most, and one at least.
    """
    rows = queries.rows(context, caller, results, job, offset, limit, heaviest)
    return answers.QueryAnswer.of(rows)


@routes.get(f"{ONE}/file", response_class=StreamingResponse)
def get_file(
    context: On,
    caller: By,
    results: Rows,
    job: str,
    format: Literal["csv", "parquet"] = "csv",  # noqa: A002 - its name in addresses
    escape: Literal["formulas"] | None = None,
) -> StreamingResponse:
    """All rows of a statement that has ended, as a file.

    With `escape=formulas` texts of CSV that a spreadsheet would calculate, drop or change begin with an apostrophe, as
    they do in the file of a dataset; numbers stay as they are.
    """
    parts = queries.file(context, caller, results, job, format, escape=escape is not None)
    headers = {"Content-Disposition": f'attachment; filename="query-{job[:12]}.{format}"'}
    return StreamingResponse(parts, headers=headers, media_type=TYPES[format])


async def _end(future: Future[None], seconds: float) -> None:
    """Wait until a job has ended, or for so long."""
    waiting: asyncio.Future[Any] = asyncio.wrap_future(future)
    await asyncio.wait({waiting}, timeout=seconds)
    if not waiting.done():
        waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def _answer(
    context: Context, caller: Caller, results: Results, job_id: str, most: int
) -> answers.QueryAnswer | JSONResponse:
    seen = asked.job(context, caller, job_id)
    if not seen.has_ended:
        return JSONResponse(answers.JobAnswer.of(seen).model_dump(mode="json"), 202)
    asked.require_success(seen.job)
    return answers.QueryAnswer.of(queries.rows(context, caller, results, job_id, 0, most))
