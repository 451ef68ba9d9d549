"""What another policy would have meant, as a job: the replay of `lakeshelf whatif`, with limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from lakeshelf import extras
from lakeshelf.counts import count_of
from lakeshelf.forecast.demand.engine import MODULES
from lakeshelf.forecast.whatif import answers, lakes, records, wishes
from lakeshelf.forecast.whatif.policies import FIELDS, TOPICS, StockPolicy
from lakeshelf.governance.domain.permissions import SHOP
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.database.records import Object
from lakeshelf.governance.metadata.tables.work import BackgroundJob
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.jobs.running import Runner, Running
from lakeshelf.governance.services.reading.diffs import diff
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop.seen import Row, refusing

KIND = "whatif"
"""Kind of the jobs."""
MOST_GOING = 1
"""Replays of one user that have not ended."""
MOST_SECONDS = 600.0
"""After which a replay ends at its next step."""
MOST_SHELF_DAYS = 10_000_000
"""Days times shelves of a replay, which are all in memory."""
MOST_GROUPS = 20
"""Stores, and categories, of an answer."""
MOST_CELLS = 100_000
"""Cells of a change request that is replayed."""
LIMITS = {"seconds": MOST_SECONDS, "shelf_days": MOST_SHELF_DAYS, "at_once": MOST_GOING}


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        since: First day; None: a quarter before the last one.
        until: Last day; None: that of the last receipt.
        stores: Only shelves of these; none: of all.
        categories: Only goods of these departments.
        items: Only these items.
        set: Field of a policy → what it would have been, as text.
        change_request: Number of an open change request of policies; None: there is none.
        frontier: Whether reorder points and service levels are tried.
    """

    since: date | None = None
    until: date | None = None
    stores: Sequence[str] = ()
    categories: Sequence[str] = ()
    items: Sequence[str] = ()
    set: Mapping[str, str] = field(default_factory=dict)
    change_request: int | None = None
    frontier: bool = False

    @property
    def scope(self) -> lakes.ReplayScope:
        """Days and shelves that are looked at."""
        limited = {"store_id": self.stores, "category": self.categories, "item_id": self.items}
        return lakes.ReplayScope(self.since, self.until, limited)

    @property
    def params(self) -> dict[str, Any]:
        """The question as JSON."""
        values = asdict(self).items()
        return {name: one.isoformat() if isinstance(one, date) else one for name, one in values}


@dataclass(frozen=True)
class _Change:
    """What would be otherwise: fields for every shelf, or cells of a change request.

    Attributes:
        fields: Field → its value for every shelf.
        request: Number of the change request.
        title: Its title.
        cells: Topic → what it changes of the topic's policies.
    """

    fields: Mapping[str, Any]
    request: int | None = None
    title: str = ""
    cells: Mapping[str, Sequence[Row]] = field(default_factory=dict)

    @property
    def record(self) -> Row:
        """What it is, for programs."""
        changed = [{"field": name, "value": value} for name, value in self.fields.items()]
        return {"set": changed, "change_request": self.request, "title": self.title}

    def of(self, context: Context, shop: lakes.ReplayedShop) -> StockPolicy:
        """The policy that it makes of the one in force."""
        if self.request is None:
            changed = shop.policy.changed(self.fields)
            wishes.require_use(self.fields, changed)
            return changed
        shelves = list(shop.history.goods.shelf_id)
        return shop.policy.changed(lakes.policies(context.root, shelves, self.cells))


def fields(caller: Caller) -> list[Row]:
    """Fields of a policy that can be changed, with their types, bounds and what they mean.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    known = [FIELDS[name] for name in StockPolicy.names()]
    shown = ("name", "doc", "unit", "default", "minimum", "maximum", "enum")
    return [{**{n: getattr(one, n) for n in shown}, "type": str(one.type)} for one in known]


def start(context: Context, caller: Caller, runner: Runner, question: Question) -> BackgroundJob:
    """Begin to replay the receipts of the lake under the policies in force and under changed ones.

    Raises:
        GovernanceError: `forbidden`; `not_found`: there is no such change request; `request_invalid`: a field or value
            that cannot be; `rate_limited`: one of the caller's goes on.
        MissingExtra: What rules need is not installed; where models decide, the job tells what they need.
    """
    require_reading(caller)
    extras.require("query", *MODULES)
    with refusing("request_invalid"):
        change = _change(context, caller, question)
    with context.metadata.reading() as tx:
        going = tx.jobs.going(caller.user, KIND)
    if going >= MOST_GOING:
        message = f"{going} replay of {caller.user} is still running"
        raise refused("rate_limited", message, hint="wait for it, or cancel it", most=MOST_GOING)

    def work(running: Running) -> Object:
        return _replayed(context, question, change, _progress(runner, running))

    job, _ = runner.start(caller, KIND, question.params, work)
    return job


def _change(context: Context, caller: Caller, question: Question) -> _Change:
    if question.change_request is None:
        return _Change(wishes.typed(question.set))
    if question.set:
        message = "fields and a change request are asked for"
        raise refused("request_invalid", message, hint="give one of them")
    return _requested(context, caller, question.change_request)


def _requested(context: Context, caller: Caller, number: int) -> _Change:
    """What a change request asks for that is not in force yet."""
    changes = diff(context, caller, SHOP, number, 0, MOST_CELLS)
    with context.metadata.reading() as tx:
        request = tx.requests.get(SHOP, number)
    is_open = request.merged_version is None
    if request.dataset not in TOPICS or not is_open or not changes.cells:
        raise refused(
            "request_invalid",
            f"CR {number} of {request.dataset} is {request.status} and changes no policy that is not in force",
            hint="take an open one of policies",
        )
    if changes.total > MOST_CELLS:
        message = f"CR {number} changes {count_of(changes.total, 'cell')}"
        raise refused("query_too_large", message, hint=f"at most {MOST_CELLS:,} are replayed")
    kept = [
        {"row_id": one.row_id, "op": one.op, "column": one.column, "staged": one.staged}
        for one in changes.cells
    ]
    return _Change({}, number, request.title, {request.dataset: kept})


def _progress(runner: Runner, running: Running) -> Callable[..., None]:
    """Tells how far a replay is, and ends one that is to stop or takes too long."""
    until = time.monotonic() + MOST_SECONDS

    def progress(step: str, done: int = 0, of: int = 0) -> None:
        running.require_going()
        if time.monotonic() > until:
            message = f"the replay took longer than {MOST_SECONDS:g} s"
            raise refused("query_too_long", message, hint="name fewer days, stores or items")
        runner.report(running, {"step": step, "done": done, "of": of})

    return progress


def _replayed(
    context: Context, question: Question, change: _Change, progress: Callable[..., None]
) -> Object:
    progress("read")
    with refusing("request_invalid"):
        shop = lakes.read(context.root, question.scope)
        size = shop.history.units.size
        if size > MOST_SHELF_DAYS:
            message = f"{size:,} days of shelves, and at most {MOST_SHELF_DAYS:,} are replayed"
            raise refused("query_too_large", message, hint="name fewer days, stores or items")
        changed = change.of(context, shop)
        shop = lakes.foretold(context.root, shop, changed, progress)
    answer = answers.answer(shop, changed, progress, frontier=question.frontier)
    return records.shortened(records.as_record(shop, change.record, answer), MOST_GROUPS)
