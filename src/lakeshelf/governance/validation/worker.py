"""The process that has Great Expectations; nothing else imports it, and it can be killed at any time.

`python -m lakeshelf.governance.validation.worker ADDRESS`, a socket's path or http://host:port on loopback.

docs/design/governance.md#validation
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from lakeshelf.errors import first_line
from lakeshelf.governance.validation.remote import PATH, SUITE, ExpectationResult, FrameResult

LARGEST = 2**27
"""Most bytes of a request; the largest frame has 80 MB."""
_FORMAT = {
    "result_format": "COMPLETE",
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
    "partial_unexpected_count": 0,
}
_one_at_a_time = threading.Lock()


def judged(frame: pa.Table, suite: Sequence[Mapping[str, Any]]) -> FrameResult:
    """Every row of a frame, judged by Great Expectations.

    Args:
        frame: Measures, numbers or null.
        suite: Configurations of expectations.
    """
    from great_expectations.core import ExpectationSuite  # noqa: PLC0415 - slow to import

    expectations = [{**one, "meta": {**one["meta"], "number": n}} for n, one in enumerate(suite)]
    with _one_at_a_time:
        batch = _frames().get_batch({"dataframe": frame.to_pandas()})
        result = batch.validate(
            ExpectationSuite("suite", expectations=expectations), result_format=_FORMAT
        )
    verdicts = {
        r.expectation_config.meta["number"]: _verdict(r, len(frame)) for r in result.results
    }
    return FrameResult(rows=len(frame), verdicts=[verdicts[number] for number in range(len(suite))])


def _verdict(result: Any, rows: int) -> ExpectationResult:
    if (raised := _raised(result.exception_info)) is not None:
        return ExpectationResult(unexpected=[], raised=raised)
    outcome = result.result
    unexpected = [int(row) for row in outcome["unexpected_index_list"]]
    if outcome["element_count"] != rows or outcome["unexpected_count"] != len(unexpected):
        return ExpectationResult(unexpected=[], raised="not every row was judged")
    return ExpectationResult(unexpected=unexpected, raised=None)


def _raised(details: Mapping[str, Any]) -> str | None:
    """Why an expectation raised; Great Expectations tells it of the whole, or of each metric."""
    for one in [details] if "raised_exception" in details else details.values():
        if one["raised_exception"]:
            return first_line(ValueError(one["exception_message"]))
    return None


@cache
def _frames() -> Any:
    """Where Great Expectations takes frames from; made once, which takes seconds."""
    sys.modules.setdefault("pyspark", None)  # type: ignore[arg-type] # it would load what it does not need here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its import says of its own code
        import great_expectations as gx  # noqa: PLC0415 - slow to import
        from great_expectations.data_context.types.base import (  # noqa: PLC0415
            ProgressBarsConfig,
        )

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
        return asset.add_batch_definition_whole_dataframe("all")


def application() -> FastAPI:
    """The HTTP side: a frame in, an answer out."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def judgements(request: Request) -> Response:
        if int(request.headers.get("content-length", LARGEST + 1)) > LARGEST:
            raise HTTPException(413, f"more than {LARGEST:,} bytes")
        body = await request.body()
        answer = await run_in_threadpool(_answered, body)
        return Response(answer, media_type="application/json")

    return app


def _answered(body: bytes) -> bytes:
    frame = pa.ipc.open_stream(body).read_all()
    return judged(frame, json.loads(frame.schema.metadata[SUITE])).model_dump_json().encode()


def listening(address: str) -> socket.socket:
    """A socket that only this user reaches, or one at a host and port."""
    if "://" in address:
        place = urlsplit(address)
        return socket.create_server((place.hostname or "127.0.0.1", place.port or 0))
    path, fresh = Path(address), Path(f"{address}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    made = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        made.bind(str(fresh))
    finally:
        os.umask(mask)
    made.listen()
    fresh.replace(path)  # also that of a worker that was killed; whoever finds it is heard
    return made


def main(address: str, ready: Callable[[], object] = lambda: None) -> None:
    """Judge until the process is told to end; it listens once it can judge, and tells so."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # some versions tell their makers of their use
    _frames()
    server = uvicorn.Server(uvicorn.Config(application(), log_level="warning", access_log=False))
    place = listening(address)
    ready()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # it ends in order, and sends the signal again after
    server.run(sockets=[place])


if __name__ == "__main__":
    main(sys.argv[1])
