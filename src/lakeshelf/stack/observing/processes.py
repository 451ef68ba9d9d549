"""What living processes of a stack tell of themselves: asked over HTTP where they say that they listen.

docs/observability.md#who-is-asked
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import shlex
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lakeshelf.addresses import is_loopback
from lakeshelf.choices import chosen
from lakeshelf.errors import LakeError, StreamError
from lakeshelf.files import LARGEST, TOO_LARGE, is_too_large
from lakeshelf.lake.place import leases
from lakeshelf.lake.place.leases import Holder
from lakeshelf.settings import Settings
from lakeshelf.stack.observing.diagnosis import CheckFinding, bad, good
from lakeshelf.status_files import API, COMPONENTS, FOLLOWERS, STREAMS, WORKER, StatusFile
from lakeshelf.telemetry.profiling import MetricsPage, Profile, profile

STALE_S = 20.0
"""A process that wrote no status for so long is not running; it writes each second at least."""
ANSWER_S = 5.0
"""Longest wait for the answer of a process."""
FILES: Mapping[str, StatusFile] = {
    "streams": STREAMS,
    "components": COMPONENTS,
    "followers": FOLLOWERS,
    "api": API,
    "worker": WORKER,
}
"""Part → where its process says at which address it tells how it is."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class PartState:
    """What is known of the process of a part.

    Attributes:
        part: What the process is.
        status: What it tells, as its status file has it; empty: no such process lives.
        address: Where it was asked; empty where its file alone is known.
        problem: Why it is not well, though nobody ended it in order; empty: it is, or nobody can know.
    """

    part: str
    status: Mapping[str, Any]
    address: str = ""
    problem: str = ""


def heard(settings: Settings, part: str) -> PartState:
    """Ask the process of a part how it is; where it names no address that is reached from here, its file has to do."""
    file = FILES[part]
    status = file.read(settings.stack_dir)
    address = str(status.get("telemetry") or "")
    members = status.get(file.members, [])
    if members and all(member["state"] == "stopped" for member in members):
        return PartState(part, {})
    if not address or _is_beyond(address, status):
        return PartState(part, fresh(settings, file))
    try:
        answer = _asked(address)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, socket.gaierror):
            return PartState(part, fresh(settings, file))
        return PartState(part, {}, address, f"does not answer at {address}: {_said(reason)}")
    if not _is_of(answer, part, status, settings):
        return PartState(part, {}, address, f"does not answer at {address}: another process does")
    own = answer.get("members")
    current = {**status, file.members: own if own and file.are_whole(own) else members}
    return PartState(part, current, address, _own(answer, address))


def all_heard(settings: Settings) -> dict[str, PartState]:
    """Ask the processes of all parts, at the same time."""
    with ThreadPoolExecutor(len(FILES)) as pool:
        return dict(zip(FILES, pool.map(partial(heard, settings), FILES), strict=True))


def led(settings: Settings) -> dict[str, dict[str, Any]]:
    """Query of a lake in a bucket → what the driver that has its lease tells of it; nothing of a lake on a disk.

    Drivers may be anywhere: each lease names the address of its holder.
    """
    if isinstance(settings.lake_root, Path):
        return {}
    held = leases.holders(settings.lake_root)
    addresses = sorted(
        {one.tells_at for one in held.values() if one.tells_at and not _is_afar(one)}
    )
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        answers = dict(zip(addresses, pool.map(_members, addresses), strict=True))
    return {name: _led(name, holder, answers.get(holder.tells_at)) for name, holder in held.items()}


def of_queries(settings: Settings, own: PartState) -> list[Mapping[str, Any]]:
    """What drivers tell of their queries: of a query that several could run that one which has its lease.

    Args:
        settings: The lake.
        own: The driver of this stack.
    """
    with suppress(LakeError):  # told of where the tables are read
        if by_lease := led(settings):
            return list(by_lease.values())
    return list(own.status.get(STREAMS.members, ()))


def profiled(
    settings: Settings, query: str, seconds: float, report: Callable[[int, int], None]
) -> Profile:
    """Where the batches of a query spend their time from now on, as its driver measures them.

    Args:
        settings: The lake.
        query: The query.
        seconds: How long its batches are watched.
        report: Called with the seconds that are over, and their number.

    Raises:
        ConfigurationError: The driver has no such query.
        StreamError: No driver answers, the query does not run, or the driver was started again meanwhile.
    """
    address = _driver(settings, query)
    before, began = _measured(address), time.monotonic()
    if not before.queries.get(chosen("query", query, before.queries)):
        raise StreamError(f"query {query} does not run", hint="`lakeshelf status` tells why")
    while (left := began + seconds - time.monotonic()) > 0:
        report(int(seconds - left), int(seconds))
        time.sleep(min(1.0, left))
    watched, after = time.monotonic() - began, _measured(address)
    if before.started != after.started:
        raise StreamError(f"the driver at {address} was started meanwhile", hint="profile again")
    return profile(query, before, after, watched)


def _driver(settings: Settings, query: str) -> str:
    """Address of the driver that runs a query: the holder of its lease, else that of this stack."""
    if not isinstance(settings.lake_root, Path):
        holder = leases.holders(settings.lake_root).get(query)
        if holder is not None and holder.tells_at and not _is_afar(holder):
            return holder.tells_at
    asked = heard(settings, "streams")
    if asked.address and asked.status:
        return asked.address
    if not asked.status:
        what = "the streams driver " + asked.problem if asked.problem else "no streams driver runs"
        raise StreamError(what, hint="start it with `lakeshelf up`")
    where = asked.status.get("telemetry") or "no address"
    raise StreamError(
        f"the streams driver tells its metrics at {where}, which is not reached from here",
        hint="run this on its host, or set LAKESHELF_TELEMETRY_HOST there",
    )


def _measured(address: str) -> MetricsPage:
    """What a driver has measured so far."""
    try:
        with _direct.open(f"{address}/metrics", timeout=ANSWER_S) as answer:
            return MetricsPage(answer.read().decode())
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = _said(getattr(error, "reason", error))
        raise StreamError(
            f"the streams driver does not answer at {address}: {reason}",
            hint="see `lakeshelf logs streams`",
        ) from error


def _members(address: str) -> list[dict[str, Any]] | None:
    """What a driver runs; None: it does not answer."""
    try:
        members = _asked(address).get("members")
        return members if STREAMS.are_whole(members) else []
    except (OSError, ValueError):
        return None


def _led(name: str, holder: Holder, members: list[dict[str, Any]] | None) -> dict[str, Any]:
    own = next((one for one in members or [] if one.get("query") == name), None)
    if own is not None:
        return own
    at = holder.tells_at or "no address"
    if _is_afar(holder):
        why = f"{holder} tells how it is at {at} of its own host alone (LAKESHELF_TELEMETRY_HOST)"
        return {"query": name, "state": "down", "error": why}
    return {"query": name, "state": "down", "error": f"{holder} does not answer at {at}"}


def _is_afar(holder: Holder) -> bool:
    """Whether a holder listens on the loopback of another host: here somebody else would answer."""
    host = urlsplit(holder.tells_at).hostname or ""
    return holder.host != socket.gethostname() and is_loopback(host)


def unanswered(processes: Iterable[PartState], parts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is wrong with processes, a line each.

    Args:
        processes: What is known of them.
        parts: Parts as a supervisor sees them, which says itself what it starts again.
    """
    return [
        f"{one.part} {one.problem}"
        for one in processes
        if one.problem and parts.get(one.part, {}).get("state", "running") == "running"
    ]


def examined(settings: Settings) -> Iterator[CheckFinding]:
    """Whether each process that did not end in order answers, and does its work."""
    from lakeshelf.streams.run import trials  # noqa: PLC0415 - slow to import

    kept = (settings.stack_dir.glob(names) for names in ("*.json", f"{trials.FOLDER}/*.json"))
    large = set(filter(is_too_large, itertools.chain(*kept)))
    damaged = {
        settings.stack_dir / file.name
        for file in FILES.values()
        if file.is_damaged(settings.stack_dir)
    }
    for place in sorted(large | damaged):
        yield bad(
            f"{place} is {TOO_LARGE if place in large else 'damaged, or of another version'}",
            f"run `{shlex.join(['rm', str(place)])}`",
        )
    asked = [one for one in all_heard(settings).values() if one.status or one.problem]
    for one in asked:
        if one.problem:
            again = f"see `lakeshelf logs {one.part}`; `lakeshelf up` starts what does not run"
            yield bad(f"{one.part} {one.problem}", again)
        else:
            yield good(
                f"{one.part} answers at {one.address}" if one.address else f"{one.part} runs"
            )
    if not asked:
        yield good("none runs")


def fresh(settings: Settings, file: StatusFile) -> dict[str, Any]:
    """The status that a living process of the stack wrote; empty: there is none.

    A process number says something on its own host alone; of another, as each container is one, the time has to do:
    that at which the file came, since the clock of that host may be an hour off.
    """
    status = file.read(settings.stack_dir)
    if status.get("host", socket.gethostname()) == socket.gethostname():
        told_at, lives = status.get("written_at", 0.0), _is_alive(int(status.get("pid", 0)))
    else:
        told_at, lives = file.put_at(settings.stack_dir), True
    return status if lives and time.time() - told_at < STALE_S else {}


def _is_beyond(address: str, status: Mapping[str, Any]) -> bool:
    """Whether an address is that of another host's loopback."""
    own = socket.gethostname()
    host = urlsplit(address).hostname or ""
    return status.get("host", own) != own and (host == "localhost" or host.startswith("127."))


def _asked(address: str) -> dict[str, Any]:
    """What a process answers, ready or not."""
    try:
        with _direct.open(f"{address}/health/ready", timeout=ANSWER_S) as answer:
            body = json.loads(answer.read(LARGEST))
    except urllib.error.HTTPError as refusal:
        with refusal:
            body = json.loads(refusal.read(LARGEST))
    except http.client.HTTPException as error:
        raise ValueError("what answers does not speak HTTP") from error
    except RecursionError as error:
        raise ValueError("no answer of ours") from error
    if not isinstance(body, dict):
        raise ValueError("no answer of ours")
    return body


def _is_of(
    answer: Mapping[str, Any], part: str, status: Mapping[str, Any], settings: Settings
) -> bool:
    """Whether the process that wrote the status answers, or its successor at the same port."""
    writers = [(one.get("host"), one.get("pid")) for one in (answer, status)]
    return answer.get("part") == part and (
        writers[0] == writers[1] or answer.get("lake") == settings.lake
    )


def _own(answer: Mapping[str, Any], address: str) -> str:
    """What a process says of itself, and not of what it runs."""
    problems = answer.get("problems")
    if (
        not problems
        or not isinstance(problems, list)
        or (answer.get("alive", True) and answer.get("members"))
    ):
        return ""
    return f"says at {address}: {problems[0]}"


def _said(reason: object) -> str:
    return str(getattr(reason, "strerror", None) or reason)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
