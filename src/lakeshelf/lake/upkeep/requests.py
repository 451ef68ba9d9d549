"""Requests for maintenance: whoever writes a table maintains it, everybody else asks.

A dataset that many write is maintained at once. One that has an owner is maintained under the owner's locks while it
is down; while it is up, it finds the request as a file between its commits, and leaves its report beside it
(docs/adr/0010-asking-owners.md).
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.files import NO_JSON, content_of, write_atomically
from lakeshelf.lake.form import owners
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.place import leases
from lakeshelf.lake.place.claims import claim
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.port import Tables
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.upkeep.maintenance import Action

STACK = "_stack"
FOLDER = "maintenance"
DRIVER = "streams-driver"
"""Owner of the tables that all queries append to; its lock is that of the streams driver."""
LOOK_AGAIN_S = 0.1
TIMEOUT_S = 300.0
_REQUEST, _TAKEN, _ANSWER = ".request.json", ".taken.json", ".answer.json"


@dataclass(frozen=True)
class Done:
    """What came of a request.

    Attributes:
        dataset: The dataset.
        action: What was asked for.
        by: Who did it: `this process` or its owner.
        report: The report, as JSON.
    """

    dataset: str
    action: str
    by: str
    report: Mapping[str, Any]


def carry_out(
    lake: Tables,
    name: str,
    action: Action,
    arguments: Mapping[str, Any],
    *,
    stack: Path | None = None,
    timeout_s: float = TIMEOUT_S,
    waiting: Callable[[], None] = lambda: None,
    pause: Callable[[float], None] = time.sleep,
    seconds: Callable[[], float] = time.monotonic,
) -> Done:
    """Maintain a dataset, or have its owner do it.

    Args:
        lake: The lake.
        name: The dataset.
        action: `optimize` or `vacuum`.
        arguments: As `maintenance.perform` takes them; a dry run disturbs nobody and is done at once.
        stack: Folder of the stack that its owner belongs to (`Settings.stack_dir`); None: that in the lake.
        timeout_s: How long an owner is waited for.
        waiting: Called while an owner is waited for.
        pause: Waits for so many seconds.
        seconds: Monotonic clock.

    Raises:
        Conflict: The owner does not answer in time, or cannot be asked.
        LakeError: What the owner was refused.
    """
    dataset = owners.named(lake.dataset(name), tables.open_table(lake.root, name, to_read=True))

    def here() -> Done:
        handle = tables.open_table(lake.root, name)
        return Done(name, action, "this process", maintenance.perform(handle, action, arguments))

    if dataset.writers == "many" or dataset.owner == lake.writer or arguments.get("dry_run"):
        return here()
    request = _Request(stack_of(lake.root, dataset, stack) / FOLDER, name)
    deadline = seconds() + timeout_s
    if lake.root.folder is None:
        waiting()  # a lease that nobody gave back is watched for as long as it lasts
    try:
        while True:
            with leased(lake.root, dataset, stack) as is_ours:
                if is_ours:
                    return here()
            if (answer := request.answer(action, arguments)) is not None:
                return Done(name, action, dataset.owner, answer)
            if seconds() > deadline:
                raise _unanswered(dataset, timeout_s)
            waiting()
            pause(LOOK_AGAIN_S)
    finally:
        request.withdraw()


@contextmanager
def leased(root: Root, dataset: Dataset, stack: Path | None = None) -> Iterator[bool]:
    """Hold the locks of a dataset's owner, so that it cannot start; false: it is up.

    A job holds the lock of each of its tables (`streams.runner`), a component one of its own (`components.service`).

    Raises:
        Conflict: The owner belongs to another folder of local state, whose leases nobody here can take, or a driver
            elsewhere runs the query that writes the dataset.
    """
    folder = stack_of(root, dataset, stack)
    names = {f"locks/{dataset.name}", f"locks/{dataset.owner}"}
    names |= {"streams"} if dataset.owner == DRIVER else set()
    with ExitStack() as held:
        try:
            for name in sorted(names):
                held.enter_context(FileLock(folder / f"{name}.lock", "lakeshelf lake"))
        except LakeError:
            held.close()
            yield False
            return
        _require_nobody_elsewhere(root, dataset, folder)
        yield True


def _require_nobody_elsewhere(root: Root, dataset: Dataset, stack: Path) -> None:
    """Refuse what the owner of a dataset does on another machine: a query has a lease in the bucket, others a claim."""
    queries = _queries(root, dataset)
    if not queries:
        claim(root, stack.parent)
        return
    for query, holder in leases.living(root, queries).items():
        raise Conflict(
            f"{dataset.name} is written by query {query}, which is run by {holder}",
            hint="it maintains its tables itself; to do more, run the command on that machine",
        )


def _queries(root: Root, dataset: Dataset) -> frozenset[str]:
    """Queries that write a dataset of a lake in a bucket; all that there are, if it cannot be opened."""
    if root.folder is not None:
        return frozenset()
    try:
        return leases.fencing(tables.open_table(root, dataset.name))
    except LakeError:
        return frozenset(leases.holders(root))


def stack_of(root: Root, dataset: Dataset, stack: Path | None) -> Path:
    """Folder with the locks of a dataset's owner.

    Raises:
        Conflict: None is given, and the lake, being no folder, has none.
    """
    if stack is not None:
        return stack
    if root.folder is None:
        raise Conflict(
            f"{dataset.name} is written by {dataset.owner} alone, whose leases are not in {root}",
            hint="ask on the machine on which it runs",
        )
    return root.folder / STACK


def asked(stack: Path, names: Iterable[str]) -> list[str]:
    """The names for which a request is pending."""
    try:
        files = set(os.listdir(stack / FOLDER))
    except FileNotFoundError:
        return []
    return [name for name in names if _file(name, _REQUEST) in files]


def serve(stack: Path, name: str, opened: Callable[[], DeltaTable]) -> None:
    """Do what somebody has asked of a table, and answer; called by its owner, between its commits.

    Args:
        stack: Folder of the stack that the owner belongs to.
        name: The table.
        opened: Gives the owner's handle.
    """
    folder = stack / FOLDER
    taken = folder / _file(name, _TAKEN)
    try:
        (folder / _file(name, _REQUEST)).rename(taken)  # of two that serve one gets it
    except FileNotFoundError:
        return
    answer = _answer(opened, taken)
    write_atomically(folder / _file(name, _ANSWER), json.dumps(answer, default=str).encode())
    taken.unlink(missing_ok=True)


class _Request:
    """A request in the folder that an owner looks into; made when its answer is looked for, and again if lost."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._id = uuid.uuid4().hex
        self._is_made = False

    def answer(self, action: str, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
        """The owner's report, once it is there."""
        is_asked = self._is_made and self._is_there()
        answer = _read(self._path(_ANSWER))
        if answer.get("id") != self._id:
            if not is_asked:
                self._make(action, arguments)
            return None
        if "error" in answer:
            raise LakeError(answer["error"], hint=answer["hint"])
        return dict(answer["report"])

    def _make(self, action: str, arguments: Mapping[str, Any]) -> None:
        """Ask, unless the request of another waits, which is served first."""
        if not self._path(_REQUEST).exists():
            asks = {"id": self._id, "action": action, "arguments": dict(arguments)}
            write_atomically(self._path(_REQUEST), json.dumps(asks).encode())
            self._is_made = True

    def _is_there(self) -> bool:
        """Whether the owner has it before it, or at work; another that asks at the same time may have replaced it."""
        return any(_read(self._path(kind)).get("id") == self._id for kind in (_REQUEST, _TAKEN))

    def withdraw(self) -> None:
        """Take back what nobody has taken up."""
        for kind in (_REQUEST, _ANSWER):
            if _read(self._path(kind)).get("id") == self._id:
                self._path(kind).unlink(missing_ok=True)

    def _path(self, kind: str) -> Path:
        return self._folder / _file(self._name, kind)


def _answer(opened: Callable[[], DeltaTable], taken: Path) -> dict[str, Any]:
    request = _read(taken)
    answer = {"id": request.get("id")}
    try:
        if request.get("action") not in maintenance.ACTIONS:
            raise LakeError(f"nobody can {request.get('action')!r}", hint="upgrade Lakeshelf")
        report = maintenance.perform(opened(), request["action"], request["arguments"])
    except LakeError as error:
        return answer | {"error": error.message, "hint": error.hint}
    except Exception as error:  # noqa: BLE001 - whatever fails is for who asked; the owner goes on
        return answer | {"error": f"unexpected {type(error).__name__}: {error}", "hint": ""}
    return answer | {"report": report}


def _file(name: str, kind: str) -> str:
    return name.replace("/", ".") + kind


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(content_of(path))
    except (OSError, *NO_JSON):
        return {}
    return document if isinstance(document, dict) else {}


def _unanswered(dataset: Dataset, timeout_s: float) -> Conflict:
    return Conflict(
        f"{dataset.owner} owns {dataset.name} and has not maintained it within {timeout_s:.0f} s",
        hint="see `lakeshelf status`, give a longer --timeout, or stop it with `lakeshelf down`",
    )
