"""The shop that obeys datasets, asked what a change request would do in it, and what a merged one did."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn, Protocol

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.datasets import GovernedDataset
from lakeshelf.governance.publication.outcome import KeyOutcome, State, counted, outcomes
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes.merging import plan_of
from lakeshelf.governance.services.changes.sessions import session_of
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.effect import LocationEffect, effect, effect_of_edits
from lakeshelf.streams.declare.job import Job

Message = tuple[str, Mapping[str, Any]]
"""A topic, and the values of a message for it."""


class Numbers(Protocol):
    """Live numbers of a lake and its stack, taken again and again."""

    def look(self) -> dict[str, Any]:
        """The numbers now; None for what cannot be known."""

    def close(self) -> None:
        """Let go of what it holds."""


class Diagnosed(Protocol):
    """What was examined, and what was found."""

    @property
    def name(self) -> str:
        """What was examined."""

    @property
    def ok(self) -> bool:
        """Whether it is in order."""

    @property
    def message(self) -> str:
        """What there is."""

    @property
    def fix(self) -> str:
        """What to do; empty when all is well."""


@dataclass(frozen=True)
class Process:
    """What makes something of something.

    Attributes:
        name: Its name.
        kind: `job` or `component`.
        doc: What it does.
        reads: Topics, tables and datasets that it reads, beside what it writes itself.
        writes: Topics and tables that it writes.
    """

    name: str
    kind: str
    doc: str
    reads: Sequence[str]
    writes: Sequence[str]


def no_stack(*_: object) -> NoReturn:
    """Refuse what only a stack knows.

    Raises:
        GovernanceError: `service_unavailable`.
    """
    raise refused(
        "service_unavailable", "no stack runs beside this API", hint="`lakeshelf up` starts it"
    )


@dataclass(frozen=True)
class Shop:
    """What a running shop and its stack know; the functions are those of the commands.

    Whatever needs a stack is refused as `no_stack` does it where there is none.

    Attributes:
        engines: Gives the jobs of the checkout, by name.
        today: Gives the business day; None: the clock has not ticked yet.
        topic_id: Gives the id of a topic; None: there is none.
        publish_again: Has every key of a dataset (`project/dataset`) sent once more; None: no publisher runs here.
        numbers: Makes what takes live numbers.
        status: Gives what `lakeshelf status` tells.
        lags: Gives query → topic → records that are not folded yet.
        examine: Examines everything as `lakeshelf doctor` does.
        components: Gives the components of the checkout, and what they read and write.
        now: Gives business time.
        send: Sends messages, each with its topic, and waits until the broker has them.
        correct: Sends corrected records back to the topics that they were refused on; how many.
    """

    engines: Callable[[], Mapping[str, Job]] = dict
    today: Callable[[], date | None] = lambda: None
    topic_id: Callable[[str], str | None] = lambda _: None
    publish_again: Callable[[str], None] | None = None
    numbers: Callable[[], Numbers] = no_stack
    status: Callable[[], Mapping[str, Any]] = no_stack
    lags: Callable[[], Mapping[str, Mapping[str, int]]] = no_stack
    examine: Callable[[], Iterable[Diagnosed]] = no_stack
    components: Callable[[], Iterable[Process]] = tuple
    now: Callable[[], datetime] = no_stack
    send: Callable[[Sequence[Message]], None] = no_stack
    correct: Callable[[Sequence[Mapping[str, Any]]], int] = no_stack


@dataclass(frozen=True)
class Came:
    """What came of a merge.

    Attributes:
        counts: State → keys.
        keys: Keys of the page, each with its state.
        total: How many keys the merge changed.
    """

    counts: Mapping[State, int]
    keys: Sequence[KeyOutcome]
    total: int


def effect_of(
    context: Context, caller: Caller, shop: Shop, project: str, number: int
) -> tuple[LocationEffect, ...]:
    """What the merge of a change request would do to the shelves.

    Raises:
        GovernanceError: As `effect`; `request_invalid`: no shop runs here.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        tx.requests.get(project, number)
    return effect(context, caller, project, number, _engines(shop), shop.today())


def effect_of_session(
    context: Context, caller: Caller, shop: Shop, session_id: str
) -> tuple[LocationEffect, ...]:
    """What the edits of a session would do to the shelves, if they were merged as they are.

    Raises:
        GovernanceError: As `effect_of_edits`; `request_invalid`: no shop runs here.
    """
    with context.metadata.reading() as tx:
        session_of(tx, caller, session_id)
    return effect_of_edits(context, caller, session_id, _engines(shop), shop.today())


def _engines(shop: Shop) -> Mapping[str, Job]:
    engines = shop.engines()
    if not engines:
        raise refused("request_invalid", "no shop runs here", hint="see `lakeshelf jobs list`")
    return engines


def outcome_of(
    context: Context,
    caller: Caller,
    shop: Shop,
    project: str,
    number: int,
    offset: int,
    limit: int,
) -> Came:
    """What came of a merged change request, by key: sent, in force, or refused by a job.

    Raises:
        GovernanceError: `not_found`; `transition_refused`: it is not merged; `request_invalid`: its dataset feeds no
            topic.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        topic = tx.datasets.definition(project, request.dataset).topic
    if request.merged_version is None:
        raise refused("transition_refused", f"CR {number} is {request.status}, not merged")
    if topic is None:
        raise refused("request_invalid", f"{request.dataset} feeds no topic")
    keys = list(dict.fromkeys(row_id for row_id, *_ in plan_of(context, request)["cells"]))
    place = (f"{project}/{request.dataset}", topic, shop.topic_id(topic) or "")
    listed = outcomes(context.root, *place, request.merged_version, keys)
    return Came(counted(listed), listed[offset : offset + limit], len(keys))


def publish_again(
    context: Context, caller: Caller, shop: Shop, project: str, dataset: str
) -> GovernedDataset:
    """Have the publisher send every key of a dataset once more, as an owner; it does so at its next look.

    Raises:
        GovernanceError: `not_found`, `forbidden`; `request_invalid`: the dataset feeds no topic, or no publisher
            runs here.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "publish_again")
        named = tx.datasets.get(project, dataset)
        topic = tx.datasets.definition(project, dataset).topic
    if topic is None:
        raise refused("request_invalid", f"{dataset} feeds no topic")
    if shop.publish_again is None:
        raise refused(
            "request_invalid",
            f"no publisher of {dataset} runs beside this API",
            hint="`lakeshelf up` starts it",
        )
    now = context.clock()
    with context.metadata.transaction() as tx:
        record(tx, caller, "dataset.publish_again", now, project=project, dataset=dataset)
    shop.publish_again(f"{project}/{dataset}")
    return named
