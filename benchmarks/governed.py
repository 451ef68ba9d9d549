"""What benchmarks of governed datasets share: a dataset of stock lines with its people, a worker, and changes."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.validation import RULES, started
from lakeshelf.contracts.types import DOUBLE, LONG, STRING, Decimal, Field, Type
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.keys import row_ids
from lakeshelf.governance.domain.permissions import SCOPES, Role
from lakeshelf.governance.domain.rows import OrderedRows
from lakeshelf.governance.domain.staged import staged_rows
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.people import digest
from lakeshelf.governance.metadata.tables.people import Token, User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import requests, reviewing
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.storage.main import OpenedTable
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root
from lakeshelf.settings import Settings, load_settings

PROJECT, DATASET = "bench", "stock_lines"
AUTHOR, REVIEWER = Caller("ann"), Caller("ben")
USERS = 20
ROLES: dict[str, Role] = {
    "ben": "contributor",
    **{f"user_{number:02}": "contributor" for number in range(USERS)},
}
MOST_QUANTITY = 400
"""Quantities that rows have at first are below."""
AT_ONCE = 1_000_000
"""Rows of a commit that fills a table."""
MB = 1_000_000
NO_BROKER = "127.0.0.1:9"
"""Nobody listens there."""
FORGET_PEAK = "5"
NOW = datetime(2026, 3, 14, 10, tzinfo=UTC)
TYPES: Mapping[str, Type] = {
    "store": STRING,
    "quantity": LONG,
    "price": Decimal(12, 2),
    "code": LONG,
    "note": DOUBLE,
}
DEFINITION = Definition(
    1,
    (
        Column(Field("line", STRING, "The key.")),
        *(Column(Field(n, t, "A column.", required=False)) for n, t in TYPES.items()),
    ),
    ("line",),
    rules=RULES,
)
"""Six rules: filled, a set, a pattern, two ranges, and one that holds over the whole table."""


@dataclass(frozen=True)
class GovernedPlace:
    """Where a lake and its database are, and who judges; other processes can open it.

    Attributes:
        folder: Folder of both.
        worker: Address of the worker.
    """

    folder: Path
    worker: str

    @contextmanager
    def opened(self) -> Iterator[Context]:
        """Services over it."""
        with Metadata.open(self.settings.governance_place) as metadata:
            yield Context(metadata, Root.at(self.settings.lake_root), Worker(self.worker))

    @property
    def settings(self) -> Settings:
        """Settings of whoever serves it; there is no broker."""
        return load_settings(**self.options)

    @property
    def options(self) -> dict[str, Any]:
        """What they differ in from the defaults."""
        lake = self.folder / "lake"
        return {"lake_root": lake, "governance_worker": self.worker, "bootstrap_servers": NO_BROKER}

    def token(self, user: str) -> str:
        """A token of a user."""
        secret = secrets.token_hex(16)
        with self.opened() as context, context.metadata.transaction() as tx:
            now = context.clock()
            held = (context.new_id(), user, "", digest(secret), tuple(SCOPES), user)
            tx.people.issue(Token(*held, now, now + timedelta(days=1)))
        return secret

    def create(self) -> None:
        """Make people and a dataset, which is empty."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.opened() as context, context.metadata.transaction() as tx:
            for name in (AUTHOR.user, *ROLES):
                tx.people.add(User(name, "", False, NOW))
            tx.projects.add(Project(PROJECT, "Benchmark", "", AUTHOR.user, NOW))
            for name, role in ROLES.items():
                tx.projects.set_role(Membership(PROJECT, name, role, AUTHOR.user, NOW))
        self.add(DATASET)

    def add(self, dataset: str) -> None:
        """Make a dataset, which is empty."""
        with self.opened() as context:
            datasets.create(context, AUTHOR, PROJECT, dataset, DEFINITION)

    def fill(self, count: int, seed: int, dataset: str = DATASET) -> None:
        """Put rows in, as imports that were merged leave them: a million a commit."""
        with self.opened() as context:
            table = context.table(PROJECT, dataset, DEFINITION)
            for first in range(0, count, AT_ONCE):
                numbers = np.arange(first, min(first + AT_ONCE, count))
                table.opened().insert(rows(numbers, seed), ("fill", first), {"kind": "import"})
            meta = datasets.meta_of(context, table.opened(), "fill")
            with context.metadata.transaction() as tx:
                tx.datasets.stands(meta)


@contextmanager
def place(folder: Path) -> Iterator[tuple[GovernedPlace, psutil.Process]]:
    """An empty dataset with a warm worker, and the worker's process."""
    with started() as (worker, process):
        made = GovernedPlace(folder, worker.address)
        made.create()
        yield made, process


def spent(process: psutil.Process) -> float:
    """Processor seconds of a process so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def peak_mb(pid: int | str) -> float:
    """Most memory that a process held, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / MB


def forget_peak(pid: int) -> None:
    """Have the peak memory of a process count anew."""
    Path(f"/proc/{pid}/clear_refs").write_text(FORGET_PEAK, encoding="ascii")


def rows(numbers: np.ndarray, seed: int) -> pa.Table:
    """The rows of some numbers; they violate nothing."""
    generator = np.random.default_rng([seed, int(numbers[0])])
    count = len(numbers)
    cents = pa.array(generator.integers(10, 90_000, count)).cast(pa.decimal128(19, 0))
    columns = {
        "line": _named("L", numbers),
        "store": _named("S", generator.integers(0, 300, count)),
        "quantity": pa.array(generator.integers(0, MOST_QUANTITY, count)),
        "price": pc.multiply(cents, pa.scalar("0.01", pa.string()).cast(pa.decimal128(3, 2))),
        "code": pa.array(numbers),
        "note": pa.array(generator.random(count)),
    }
    table = pa.table(columns)
    return table.cast(DEFINITION.schema)


def proposed(
    context: Context, numbers: np.ndarray, column: str, value: float, dataset: str = DATASET
) -> ChangeRequest:
    """A change request by ann that sets a cell of each of some rows, approved by ben."""
    opened = opened_table(context, dataset)
    staged = changed(opened, numbers, column, value)
    title = f"{len(numbers):,} cells"
    with requests.drafted(
        context, AUTHOR, PROJECT, dataset, "edit",
        title=title, description="", base_version=opened.version, origin={},
    ) as number:  # fmt: skip
        request = requests.submit(context, AUTHOR, PROJECT, number, staged, opened.version)
    return reviewing.approve(context, REVIEWER, PROJECT, number, str(request.content_hash))


def changed(opened: OpenedTable, numbers: np.ndarray, column: str, value: float) -> pa.Table:
    """Staged rows that set a column of some rows to another value."""
    base = opened.rows(pa.table({"line": _named("L", numbers)}))
    place, field = base.schema.get_field_index(column), DEFINITION.schema.field(column)
    new = base.set_column(place, field, pa.repeat(pa.scalar(value, field.type), len(base)))
    ids = row_ids(DEFINITION, base)
    both = (OrderedRows.of_table(DEFINITION, table, ids) for table in (base, new))
    return staged_rows(DEFINITION, ids, *both)


def opened_table(context: Context, dataset: str = DATASET) -> OpenedTable:
    """A dataset as it is now."""
    return context.table(PROJECT, dataset, DEFINITION).opened()


def _named(letter: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(letter, pa.array(numbers).cast(pa.string()), "")
