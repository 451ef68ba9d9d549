"""Files that become change requests, and datasets as files."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import IO, Annotated, Any

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Limit, Offset, On, router
from lakeshelf.governance.api.routes.datasets import DATASET
from lakeshelf.governance.domain.editing.files import Format, Mode
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.imports import exporting, inferring, loading, uploading
from lakeshelf.governance.services.imports.declaring import dialect_of
from lakeshelf.governance.services.reading import listing

routes = router("uploads")
ALL = "/projects/{project}/uploads"
ONE = "/projects/{project}/uploads/{upload}"
CHUNK = 1024 * 1024
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}
"""Format → media type."""
_FILE = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@routes.post(f"{DATASET}/uploads", status_code=201, openapi_extra=_FILE)
async def receive(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    request: Request,
    file_name: Annotated[str, Query(min_length=1, max_length=1_000)],
    mode: Mode = "upsert",
) -> Upload:
    """Keep a file, which is the body as it is; its name says the format. It becomes a change request by `load`."""
    await run_in_threadpool(listing.dataset, context, caller, project, dataset)
    async with _spooled(request) as spool:
        return await run_in_threadpool(
            uploading.receive,
            context,
            caller,
            project,
            dataset,
            file_name,
            _chunks(spool),
            mode=mode,
        )


@routes.post("/projects/{project}/inferences", openapi_extra=_FILE)
async def infer(
    context: On,
    caller: By,
    project: str,
    request: Request,
    file_name: Annotated[str, Query(min_length=1, max_length=1_000)],
    key: Annotated[list[str] | None, Query(max_length=20)] = None,
    declared: Annotated[shapes.Declared | None, Query(max_length=20)] = None,
) -> dict[str, Any]:
    """The definition that a file suggests, where there is no dataset yet; nothing is kept.

    `declared` says how its text is written, a line of TOML each, such as `delimiter = ";"`.
    """
    dialect = dialect_of(declared or ())
    await run_in_threadpool(listing.datasets, context, caller, project)
    async with _spooled(request) as spool:
        content = await run_in_threadpool(spool.read)
    definition = await run_in_threadpool(
        inferring.inferred, context, caller, project, file_name, content, key or (), dialect
    )
    return definition.as_json()


@routes.get(ALL)
def list_uploads(context: On, caller: By, project: str, dataset: str | None = None) -> list[Upload]:
    """Uploads of a project or a dataset, the newest first."""
    return listing.uploads(context, caller, project, dataset)


@routes.get(ONE)
def get_upload(context: On, caller: By, project: str, upload: str) -> Upload:
    """An upload, and how far it is."""
    return listing.upload(context, caller, project, upload)


@routes.post(f"{ONE}/load")
def load(
    context: On, caller: By, project: str, upload: str, body: shapes.Load
) -> answers.LoadAnswer:
    """Make a change request of an upload; where rows are refused, none is made, and `refusals` lists them all.

    A dry run makes none, and says in the `report` what it would do.
    """
    loaded = loading.load(
        context,
        caller,
        project,
        upload,
        title=body.title,
        description=body.description,
        dialect=dialect_of(body.declared),
        leave_out=body.leave_out,
        merge_when_approved=body.merge_when_approved,
        dry_run=body.dry_run,
    )
    return answers.LoadAnswer(upload=loaded.upload, request=loaded.request)


@routes.get(f"{ONE}/refusals")
def get_refusals(
    context: On, caller: By, project: str, upload: str, offset: Offset = 0, limit: Limit = 200
) -> answers.Refusals:
    """Cells of an upload that are refused, by line."""
    refused_rows, total = loading.refusals(context, caller, project, upload, offset, limit)
    cells = [answers.RefusedCell(**one) for one in refused_rows]
    return answers.Refusals(refusals=cells, total=total)


@routes.get(f"{DATASET}/export", response_class=StreamingResponse)
def export(
    context: On,
    caller: By,
    project: str,
    dataset: str,
    format: Format = "csv",  # noqa: A002 - its name in addresses
    version: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> StreamingResponse:
    """A dataset as a file, which knows its version: imported again, it merges cell by cell."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - it ends with the answer
    try:
        mark = exporting.export(context, caller, project, dataset, format, spool, version)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    name = f"{dataset}-{mark.version}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_chunks(spool, last=True), headers=headers, media_type=TYPES[format])


@asynccontextmanager
async def _spooled(request: Request) -> AsyncIterator[IO[bytes]]:
    """The body in a file of its own."""
    with tempfile.TemporaryFile() as spool:
        async for chunk in request.stream():
            if spool.tell() + len(chunk) > uploading.MOST_BYTES:
                raise _too_large()
            spool.write(chunk)
        spool.seek(0)
        yield spool


def _chunks(spool: IO[bytes], *, last: bool = False) -> Iterator[bytes]:
    try:
        while chunk := spool.read(CHUNK):
            yield chunk
    finally:
        if last:
            spool.close()


def _too_large() -> Exception:
    return refused(
        "body_too_large",
        f"a file has {uploading.MOST_BYTES:,} bytes at most",
        hint="split it, or use the modes `upsert` or `append` for its parts",
        most=uploading.MOST_BYTES,
    )
