"""What routes are given: who calls, and what services stand on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from lakeshelf.governance.api.door.failures import documented
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs.results import Results
from lakeshelf.governance.services.jobs.running import Runner
from lakeshelf.governance.services.reading.newest import Newest
from lakeshelf.governance.services.shop.live import Live
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.lake.place.errors import NotFound

MOST = 1_000
"""Records of one answer."""


def _context(request: Request) -> Context:
    held: Context = request.app.state.context
    return held


def _caller(request: Request) -> Caller:
    held: Caller = request.state.caller
    return held


def _shop(request: Request) -> Shop:
    held: Shop = request.app.state.shop
    return held


def _live(request: Request) -> Live:
    held: Live = request.app.state.live
    return held


def _newest(request: Request) -> Newest:
    held: Newest = request.app.state.newest
    return held


def _streams(request: Request) -> Counter[str]:
    held: Counter[str] = request.app.state.streams
    return held


def _runner(request: Request) -> Runner:
    held: Runner = request.app.state.runner
    return held


def _results(request: Request) -> Results:
    held: Results = request.app.state.results
    return held


def _serving(request: Request) -> Serving:
    held: Serving = request.app.state.serving
    return held


On = Annotated[Context, Depends(_context)]
By = Annotated[Caller, Depends(_caller)]
In = Annotated[Shop, Depends(_shop)]
Now = Annotated[Live, Depends(_live)]
Latest = Annotated[Newest, Depends(_newest)]
Streams = Annotated[Counter[str], Depends(_streams)]
"""User → streams of events that are open."""
Jobs = Annotated[Runner, Depends(_runner)]
Rows = Annotated[Results, Depends(_results)]
Served = Annotated[Serving, Depends(_serving)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1, description="Number of the change request.")]
Offset = Annotated[int, Query(ge=0, le=2**31 - 1)]
Limit = Annotated[int, Query(ge=1, le=MOST)]
EVERYWHERE = (
    "unauthenticated",
    "forbidden",
    "host_refused",
    "not_found",
    "rate_limited",
    "request_invalid",
    "service_unavailable",
    "storage_unavailable",
    "internal",
)
"""Codes that every operation can be refused with."""
WRITING = (
    "body_too_large",
    "csrf_refused",
    "dataset_busy",
    "idempotency_mismatch",
    "origin_refused",
)
"""Codes of operations that change something."""


def router(tag: str, *dependencies: Callable[..., Any]) -> APIRouter:
    """Routes of a resource; the dependencies are of each."""
    codes: dict[int | str, dict[str, Any]] = documented(*EVERYWHERE, *WRITING)
    needed = [Depends(one) for one in dependencies]
    return APIRouter(prefix="/api/v1", tags=[tag], responses=codes, dependencies=needed)


def shop_tables() -> Iterator[None]:
    """Refuse what needs tables that are not there yet.

    Raises:
        GovernanceError: `service_unavailable`.
    """
    try:
        yield
    except NotFound as error:
        raise refused(
            "service_unavailable", error.message, hint="`lakeshelf up` makes the tables of a shop"
        ) from error
