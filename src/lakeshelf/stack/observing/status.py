"""How a lake and its stack are doing, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import KafkaException

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Cleansed, Curated
from lakeshelf.counts import count_of
from lakeshelf.errors import LakeError, LakeshelfError
from lakeshelf.forecast.versions.standing import standing
from lakeshelf.kafka import open_transactions
from lakeshelf.kafka.open_transactions import OpenTransaction
from lakeshelf.kafka.refusals import said
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.rows import reading, tables
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import listening_client
from lakeshelf.stack.observing import governed, lag, processes
from lakeshelf.stack.observing.processes import PartState
from lakeshelf.stack.supervision.parts import StreamsPart
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.status_files import COMPONENTS, STREAMS
from lakeshelf.streams.declare import plan, registry
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.recover import quarantine
from lakeshelf.streams.run import trials
from lakeshelf.streams.run.parts import Positions
from lakeshelf.streams.run.trials import BatchTrial


def collect(settings: Settings) -> dict[str, Any]:
    """Everything that `lakeshelf status` tells.

    Returns:
        `ok`, `lake`, `state` (`down`, or what the stack tells), `parts` (each with its restarts and how it
        `ended` last), `problems` (a line each), `queries` (each with the batch that it was last in; `lag` in records
        and `lag_s` in seconds, as its driver measured it),
        `components`, `telemetry` (part → where it tells health and metrics), `tables`,
        `quarantine` (reason → records), `open_transactions`, `shelves_without_profile`, `models` (as `standing` tells).
    """
    stack = running_stack(settings)
    asked = processes.all_heard(settings)
    of_queries = processes.of_queries(settings, asked[StreamsPart.name])
    progress = {one["query"]: one for one in of_queries}
    plans = plan.plan(registry.discover(*settings.homes).values())
    lags, opened, unreachable = _kafka(settings, plans)
    kept = dict(trials.all_kept(settings.stack_dir))
    queries = [
        _query(query, progress.get(query.name, {}), lags.get(query.name))
        | _tries(kept.get(query.name) or BatchTrial())
        for query in plans
    ]
    parts = _parts(stack, asked)
    members = _components(asked)
    kept_tables = table_rows(settings, [name for query in plans for name in query.tables])
    models = standing(settings.lake_root)
    problems = [
        *_problems(parts, asked, queries),
        *alike([table["error"] for table in kept_tables if table["unreadable"]]),
        *_failed(members),
        *map(str, open_transactions.lasting(opened)),
        *governed.problems(settings),
        *(models["problems"] if models else ()),
        *unreachable,
    ]
    return {
        "ok": not problems,
        "lake": settings.lake,
        "state": _state(stack, asked, parts),
        "bootstrap_servers": stack.get("bootstrap_servers") or settings.bootstrap_servers,
        "parts": parts,
        "problems": problems,
        "queries": queries,
        "components": members,
        "telemetry": _addresses(asked),
        "tables": kept_tables,
        "quarantine": _quarantine(settings),
        "open_transactions": [transaction.as_json() for transaction in opened],
        "shelves_without_profile": shelves_without_profile(settings),
        "models": models,
    }


def table_rows(settings: Settings, names: list[str]) -> list[dict[str, Any]]:
    """Rows and version of tables; None for what is not there, or `unreadable`."""
    return [_table(settings, name) for name in names]


def shelves_without_profile(settings: Settings) -> int | None:
    """Shelves that have stock but no profile, so that nothing is decided for them; None without tables."""
    try:
        held = tables.rows(settings.lake_root, Cleansed.SHELF_STATE, ["shelf_id"])["shelf_id"]
        known = _profiled(tables.rows(settings.lake_root, Curated.SHELF_PROFILES))
    except LakeError:
        return None
    return int(len(held) - (pc.sum(pc.is_in(held, value_set=known)).as_py() or 0))


def _profiled(profiles: pa.Table) -> pa.ChunkedArray:
    if "deleted" in profiles.column_names:
        profiles = profiles.filter(pc.invert(pc.fill_null(profiles["deleted"], False)))
    return profiles["shelf_id"]


def _components(asked: Mapping[str, PartState]) -> list[dict[str, Any]]:
    statuses = (asked[part].status for part in ("components", "followers"))
    return [member for status in statuses for member in status.get(COMPONENTS.members, [])]


def _addresses(asked: Mapping[str, PartState]) -> dict[str, str]:
    """Part → address at which its process tells health and metrics."""
    addresses = {part: str(one.status.get("telemetry") or "") for part, one in asked.items()}
    return {part: address for part, address in addresses.items() if address}


def _failed(members: list[dict[str, Any]]) -> list[str]:
    return [f"{m['component']} is failed: {m['error']}" for m in members if m["state"] == "failed"]


def _kafka(
    settings: Settings, plans: tuple[QueryPlan, ...]
) -> tuple[dict[str, dict[str, int]], list[OpenTransaction], list[str]]:
    """Query → topic → records behind; transactions that hold others back; what keeps both from being known."""
    if settings.bootstrap_servers is None and not Broker(settings).is_running():
        return {}, [], []
    try:
        client = listening_client(settings)
        lags = lag.behind(settings, client, plans)
        names = sorted({topic.name for query in plans for topic in query.topics})
        return lags, open_transactions.blocking(client, names), []
    except (LakeshelfError, KafkaException) as error:
        return {}, [], [said(error)]


def _query(
    query: QueryPlan, progress: Mapping[str, Any], behind: Mapping[str, int] | None
) -> dict[str, Any]:
    missing = None if behind is None else sum(behind.values())
    return {
        "query": query.name,
        "jobs": [job.name for job in query.jobs],
        "state": progress.get("state", "down"),
        "batch_id": progress.get("batch_id"),
        "duration_ms": progress.get("duration_ms"),
        "lag": missing,
        "lag_s": 0.0 if missing == 0 else progress.get("lag_s"),
        "restarts": progress.get("restarts", 0),
        "error": progress.get("error", ""),
    }


def _tries(trial: BatchTrial) -> dict[str, Any]:
    """The batch that a query was last in, how that went, and what was isolated from its batches."""
    part = trial.next_part()
    return {
        "last_batch": {
            "batch_id": trial.batch_id,
            "offsets": trial.offsets,
            "in_it": trial.running,
            "failure": trial.failure,
            "deaths": trial.deaths,
            "looking_in": "" if part is None else Positions(trial.offsets).text(part),
        },
        "isolated": trial.isolated,
        "last_isolated": trial.latest,
    }


def _parts(stack: dict[str, Any], asked: Mapping[str, PartState]) -> dict[str, dict[str, Any]]:
    """Parts as the supervisor sees them; one that it thinks running and that says nothing is silent."""
    parts: dict[str, dict[str, Any]] = stack.get("parts", {})
    silent = {
        name: {**part, "state": "silent", "error": asked[name].problem}
        for name, part in parts.items()
        if part["state"] == "running" and _is_silent(asked.get(name))
    }
    return parts | silent


def _is_silent(process: PartState | None) -> bool:
    """Whether a process that should run says nothing; only the driver's file tells so without an address."""
    if process is None or process.status:
        return bool(process and process.problem)
    return process.part == StreamsPart.name or bool(process.problem)


def _state(
    stack: dict[str, Any], asked: Mapping[str, PartState], parts: dict[str, dict[str, Any]]
) -> str:
    lives = any(one.status for one in asked.values())
    state = str(stack.get("state") or ("running" if lives else "down"))
    whole = all(part["state"] == "running" for part in parts.values() if _is_awaited(part))
    return "recovering" if state == "running" and not whole else state


def _problems(
    parts: dict[str, dict[str, Any]], asked: Mapping[str, PartState], queries: list[dict[str, Any]]
) -> list[str]:
    driver = asked[StreamsPart.name]
    silent = processes.unanswered(asked.values(), parts)
    if not parts and not any(one.status for one in asked.values()):
        return ["nothing runs; start it with `lakeshelf up`", *silent]
    stands = [_stands(name, part, queries) for name, part in parts.items()]
    running = {q["query"] for q in driver.status.get(STREAMS.members, [])}
    is_told = driver.status or driver.problem or driver.part in parts
    return [
        *filter(None, stands),
        *silent,
        *(problem for q in queries if q["query"] in running and (problem := _troubled(q))),
        *([] if is_told else ["the streams driver does not run"]),
    ]


def _is_awaited(part: dict[str, Any]) -> bool:
    return bool(part.get("awaited", True))


def _is_beginning(part: dict[str, Any]) -> bool:
    """Whether it starts for the first time, and nobody waits for it."""
    return part["state"] == "starting" and not part["restarts"] and not _is_awaited(part)


def _stands(name: str, part: dict[str, Any], queries: list[dict[str, Any]]) -> str:
    """What is to be said of a part that does not run; empty if it does."""
    if part["state"] == "running" or _is_beginning(part):
        return ""
    ended = f"last ended by {part['ended']}" if part.get("ended") else ""
    again = count_of(part["restarts"], "restart") if part["restarts"] else ""
    alive = part["state"] == "silent"
    batches = (_batch_text(q, alive) for q in queries if name == StreamsPart.name)
    facts = ", ".join(filter(None, (ended, again, *batches)))
    error = f": {part['error']}" if part["error"] else ""
    return f"{name} is {part['state']}{f' ({facts})' if facts else ''}{error}"


def _troubled(query: dict[str, Any]) -> str:
    """What is to be said of a query that a driver runs; empty if it is well."""
    looking = query["last_batch"]["looking_in"]
    is_well = query["state"] == "running" and not query["error"] and not looking
    if is_well or query["state"] == "waiting":  # another driver runs it
        return ""
    where = _batch_text(query)
    search = f"; it looks for the record that fails in {looking}" if looking else ""
    error = f": {query['error']}" if query["error"] else ""
    return (
        f"query {query['query']} is {query['state']}{f' ({where})' if where else ''}{error}{search}"
    )


def _batch_text(query: dict[str, Any], alive: bool = True) -> str:
    """The batch that a query is in, or was in when its driver ended; empty if it is in none."""
    batch = query["last_batch"]
    positions = Positions(batch["offsets"])
    if not (batch["in_it"] or batch["looking_in"]):
        return ""
    where = f"batch {batch['batch_id']}, {positions.text(positions.whole)}"
    return f"{query['query']} {'in' if alive else 'before it ended in'} {where}"


def _table(settings: Settings, name: str) -> dict[str, Any]:
    row = {
        "table": name,
        "owner": CATALOG.tables[name].owner,
        "rows": None,
        "version": None,
        "error": "",
        "unreadable": False,
    }
    try:
        table = tables.open_table(settings.lake_root, name, to_read=True)
        return {**row, "rows": reading.count(table, name), "version": table.version()}
    except LakeError as error:
        return {**row, "error": str(error), "unreadable": not isinstance(error, NotFound)}


def alike(errors: Sequence[str]) -> list[str]:
    """The first of several errors, and how many there are beside it."""
    more = f" (and {len(errors) - 1:,} more like it)" if len(errors) > 1 else ""
    return [f"{errors[0]}{more}"] if errors else []


def _quarantine(settings: Settings) -> dict[str, int]:
    try:
        return quarantine.counted(settings.lake_root)
    except LakeError:
        return {}
