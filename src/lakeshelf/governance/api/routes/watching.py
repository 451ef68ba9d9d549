"""What happens and happened: events as a stream, notices, the audit."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Header, Query
from fastapi.encoders import jsonable_encoder
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Latest, Limit, Now, On, Streams, router
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.events import AuditEvent, Event
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.people.users import still
from lakeshelf.governance.services.reading import listing
from lakeshelf.governance.services.reading.newest import Newest
from lakeshelf.governance.services.shop.live import Live

routes = router("watching")
LIVE = "live"
"""Topic of live numbers."""
POLL_S = 0.5
PING_S = 10
AT_ONCE = 500
MOST_STREAMS = 200
"""Streams that a user may have open in one process."""
HIGHEST = 2**53
"""Highest number of an event that somebody may name."""
STILL_S = 60.0
"""How often it is looked whether who listens still may."""


@routes.get("/events", response_class=EventSourceResponse)
async def stream_events(
    context: On,
    caller: By,
    live: Now,
    newest: Latest,
    streams: Streams,
    topics: Annotated[str | None, Query(max_length=1_000)] = None,
    last_event_id: Annotated[str | None, Header(max_length=40)] = None,
) -> EventSourceResponse:
    """Events of the caller's projects as they happen, or from the one after `Last-Event-ID` on.

    `topics`, separated by commas: `cr`, `dataset`, `act`, …, `cr:41`, or `live` for a whole look of live numbers a
    second (`numbers`, without an id: what was missed is of no use). Where events after that id are no longer kept, or
    it is none of ours, a `reset` says to fetch anew.
    """
    listing.require_reading(caller)
    _require_few(streams, caller.user)
    chosen = frozenset(topics.split(",")) if topics else None
    watched = live if LIVE in (chosen or ()) else None
    # Before the answer begins: who has it hears of all that happens from then on.
    begin = await run_in_threadpool(_begin, context, caller, last_event_id)
    stream = _stream(context, caller, begin, chosen, newest, watched)
    counted = _counted(streams, caller.user, stream)
    return EventSourceResponse(counted, ping=PING_S, headers={"X-Accel-Buffering": "no"})


@routes.get("/events/list")
def list_events(
    context: On, caller: By, after: Annotated[int, Query(ge=0, le=HIGHEST)] = 0, limit: Limit = 100
) -> list[Event]:
    """Events of the caller's projects with a higher number, in order."""
    return listing.happened(context, caller, after, limit)[0]


@routes.get("/notices")
def list_notices(
    context: On, caller: By, unread: bool = False, limit: Limit = 100
) -> list[answers.NoticeAnswer]:
    """What the caller is told of, the newest first."""
    listed = listing.notices(context, caller, unread=unread, limit=limit)
    return [answers.NoticeAnswer(event=event, read_at=notice.read_at) for notice, event in listed]


@routes.post("/notices/read")
def read_notices(context: On, caller: By, body: shapes.UpTo) -> dict[str, int]:
    """Remember that notices were read up to an event."""
    return {"read": listing.read_notices(context, caller, body.event)}


@routes.get("/audit")
def installation_audit(
    context: On, caller: By, after: Annotated[int, Query(ge=0, le=2**53)] = 0, limit: Limit = 200
) -> list[AuditEvent]:
    """Acts on users, tokens and projects themselves, for admins."""
    return listing.audited(context, caller, "", after, limit)


@routes.get("/projects/{project}/audit")
def project_audit(
    context: On,
    caller: By,
    project: str,
    after: Annotated[int, Query(ge=0, le=2**53)] = 0,
    limit: Limit = 200,
    user: str | None = None,
    action: str | None = None,
    dataset: str | None = None,
    request: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> list[AuditEvent]:
    """Acts in a project, in order."""
    criteria = {"user": user, "action": action, "dataset": dataset, "request": request}
    equal = {name: value for name, value in criteria.items() if value is not None}
    return listing.audited(context, caller, project, after, limit, **equal)


@routes.get("/projects/{project}/audit/verify")
def verify_audit(context: On, caller: By, project: str) -> answers.Verdict:
    """Whether the chain of a project's acts is as it was written."""
    broken = listing.verified(context, caller, project)
    return answers.Verdict(whole=broken is None, broken=vars(broken) if broken else None)


@dataclass(frozen=True)
class Begin:
    """Where a stream of events begins.

    Attributes:
        number: Number of the event before the first.
        is_anew: Whether the event that the caller named is not followed by all that happened since.
    """

    number: int
    is_anew: bool = False


def _require_few(streams: Counter[str], user: str) -> None:
    if streams[user] >= MOST_STREAMS:
        raise refused(
            "rate_limited",
            f"{user} listens {streams[user]} times already",
            hint="close pages or programs that listen",
            most=MOST_STREAMS,
        )


async def _counted(
    streams: Counter[str], user: str, stream: AsyncIterator[ServerSentEvent]
) -> AsyncGenerator[ServerSentEvent, None]:
    if streams[user] >= MOST_STREAMS:  # others were let in beside it, and began first
        return
    streams[user] += 1
    try:
        async for event in stream:
            yield event
    finally:
        streams[user] -= 1


def _begin(context: Context, caller: Caller, last: str | None) -> Begin:
    known = _number(last)
    _, newest, follows = _after(context, caller, known or 0)
    if last is None:
        return Begin(newest)
    return Begin(newest, is_anew=True) if known is None or not follows else Begin(known)


async def _stream(
    context: Context,
    caller: Caller,
    begin: Begin,
    topics: frozenset[str] | None,
    newest: Newest,
    live: Live | None,
) -> AsyncIterator[ServerSentEvent]:
    number = begin.number
    if begin.is_anew:
        yield ServerSentEvent(event="reset", data=json.dumps({"newest": number}), id=str(number))
    loop = asyncio.get_running_loop()
    looked, shown = loop.time(), ""
    while True:
        if loop.time() - looked >= STILL_S:
            looked = loop.time()
            if not await run_in_threadpool(still, context, caller):
                return
        listed: list[Event] = []
        if await newest.number() > number:
            listed, seen, _ = await run_in_threadpool(_after, context, caller, number)
            for event in listed:
                if _is_wanted(event, topics):
                    yield _sent(event)
            number = listed[-1].number if len(listed) == AT_ONCE else seen
        if live is not None and (point := live.peek()) is not None and point.id != shown:
            shown = point.id
            yield ServerSentEvent(event="numbers", data=point.text)
        if len(listed) < AT_ONCE:
            await (asyncio.sleep(POLL_S) if live is None else live.after(shown, POLL_S))


def _number(last: str | None) -> int | None:
    """The number of an event that was seen; None: it is none that an event has."""
    number = int(last) if last and last.isascii() and last.isdigit() else None
    return None if number is None or number > HIGHEST else number


def _after(context: Context, caller: Caller, number: int) -> tuple[list[Event], int, bool]:
    return listing.happened(context, caller, number, AT_ONCE)


def _sent(event: Event) -> ServerSentEvent:
    data = json.dumps(jsonable_encoder(event), ensure_ascii=False)
    return ServerSentEvent(event=event.kind.partition(".")[0], data=data, id=str(event.number))


def _is_wanted(event: Event, topics: frozenset[str] | None) -> bool:
    kind = event.kind.partition(".")[0]
    return topics is None or kind in topics or f"{kind}:{event.request}" in topics
