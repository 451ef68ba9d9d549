"""Publication: shelf profiles of a year are adopted from their topic, sent back whole, and one of them is changed."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.adoption import Adoption
from lakeshelf.governance.publication.publisher import PUBLISHER, MergePublisher
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.main import MainTable
from lakeshelf.kafka import topics
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.streams.commit.publisher import Publisher

TOPIC = CATALOG.topics["shelf_profiles"]
OPENED = datetime(2017, 1, 1, tzinfo=UTC)
AT_ONCE, MEGABYTE = 50_000, 1_000_000
GOAL_S, GOAL_MB = 60.0, 1_000.0
Client = Mapping[str, str]
ACTS = {
    "adoption": "adoption from the topic",
    "whole": "full publication",
    "one": "one row that was changed, published",
}


def figures(parameters: Parameters) -> list[Figure]:
    """Time, processor time and memory of each act."""
    goals = {"adoption": (GOAL_S, GOAL_MB), "whole": (GOAL_S, GOAL_MB)}
    lines = []
    for act, title in ACTS.items():
        seconds, memory = goals.get(act, (None, None))
        lines += [
            Figure(f"{act}_s", title, "s", seconds),
            Figure(f"{act}_cpu", f"{title}: processor time", "s"),
            Figure(f"{act}_mb", f"{title}: most memory", "MB", memory),
        ]
    return lines


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Each act in a process of its own, on a broker of its own."""
    lake, measured = folder / "lake", dict[str, float]()
    with _broker(folder) as client:
        topics.ensure_all(client)
        tables.ensure(lake, CATALOG.tables[Ops.PUBLICATIONS])
        _apart(opened, client, parameters["shelves"])
        _apart(bind, client, lake)
        for act, work in (("adoption", adopted), ("whole", whole), ("one", one)):
            if act == "one":
                _apart(edit, lake)
            spent = _apart(work, client, lake, parameters["shelves"])
            measured |= {f"{act}_{what}": value for what, value in spent.items()}
            say(f"{ACTS[act]}: {spent['s']:.1f} s, {spent['mb']:.0f} MB")
    return {"figures": rounded(measured)}


def opened(client: Client, shelves: int) -> None:
    """Send the openings of shelves, as `replay` does."""
    publisher = Publisher(client)
    for first in range(0, shelves, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, shelves))
        publisher.send(publisher.rows(TOPIC, _profiles(numbers)))
        publisher.flush()


def bind(client: Client, lake: Path) -> None:
    """Make the dataset, bound to the topic."""
    table = _table(lake)
    table.create()
    binding.ensure_bound(table, client)


def adopted(client: Client, lake: Path, shelves: int) -> dict[str, float]:
    """Adopt them all."""
    began = time.perf_counter()
    with closing(Adoption([_table(lake)], client)) as adoption:
        rows = 0
        while rows < shelves:
            rows += sum(done.rows for done in adoption.turn(1.0))
    return _spent(began)


def whole(client: Client, lake: Path, shelves: int) -> dict[str, float]:
    """Send them all."""
    began = time.perf_counter()
    done = _publisher(client, lake).publish(_topic_id(client), whole=True)
    _require(done.rows, shelves)
    return _spent(began)


def edit(lake: Path) -> None:
    """Change one of them."""
    table = _table(lake)
    row = _profiles(range(1, 2)).select(table.definition.schema.names)
    dearer = row.set_column(
        row.schema.get_field_index("max_stock"), "max_stock", pa.array([77], pa.int64())
    )
    table.opened().apply(dearer, row[:0].select(["shelf_id"]), ("cr:1", 1), {"kind": "edit"})


def one(client: Client, lake: Path, shelves: int) -> dict[str, float]:
    """Send the one that was changed."""
    began = time.perf_counter()
    _require(_publisher(client, lake).publish(_topic_id(client)).rows, 1)
    return _spent(began)


def _profiles(numbers: range) -> pa.Table:
    count = len(numbers)
    same: dict[str, Any] = {
        "category": "GROCERY",
        "subcategory": "BAKED BREAD",
        "max_stock": 40,
        "unit_weight": 500.0,
        "unit_price": 2.49,
        "standard_batch_size": 12,
        "shelf_life_days": 30,
        "warehouse_capacity": 400,
        "version": 1,
        "updated_at": OPENED,
    }
    schema = {field.name: field.type for field in _schema()}
    own = {
        "shelf_id": [f"S{n % 457}-I{n}" for n in numbers],
        "store_id": [f"S{n % 457}" for n in numbers],
        "item_id": [f"I{n}" for n in numbers],
        "name": [f"BREAD NO {n}" for n in numbers],
    }
    columns = {**own, **{name: [value] * count for name, value in same.items()}}
    return pa.table({name: _column(columns[name], kind) for name, kind in schema.items()})


def _schema() -> pa.Schema:
    stamps = [("version", pa.int64()), ("updated_at", pa.timestamp("us", "UTC"))]
    return pa.schema([*bound(TOPIC).schema, *stamps])


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    exact = pa.types.is_decimal(kind)
    return pa.array(values).cast(kind, safe=False) if exact else pa.array(values, kind)


def _table(lake: Path) -> MainTable:
    return MainTable(Folder(Root.at(lake), "retail", TOPIC.name), bound(TOPIC))


def _publisher(client: Client, lake: Path) -> MergePublisher:
    return MergePublisher(Lake(lake, writer=PUBLISHER), _table(lake), TOPIC, Publisher(client))


def _topic_id(client: Client) -> str:
    return topics.ids(client, [TOPIC.name])[TOPIC.name]


def _require(sent: int, expected: int) -> None:
    if sent != expected:
        raise RuntimeError(f"{sent:,} of {expected:,} rows were sent")


def _spent(began: float) -> dict[str, float]:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    memory = int(line.split()[1]) * 1024 / MEGABYTE
    return {"s": time.perf_counter() - began, "cpu": time.process_time(), "mb": memory}


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """The result of work in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(work, *arguments).result()


@contextmanager
def _broker(folder: Path) -> Iterator[Client]:
    broker = Broker(load_settings(lake_root=folder / "broker"))
    broker.start(die_with_parent=True)
    try:
        broker.wait_healthy()
        yield {"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"}
    finally:
        broker.kill()


BENCHMARK = Benchmark(
    name="publication",
    title="Publication: profiles are adopted, sent whole, and one of them changes",
    defaults={"shelves": 631_479},
    quick={"shelves": 2_000},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
