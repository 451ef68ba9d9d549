"""Validation of changes of a governed dataset: six rules, from one cell to a million rows, bad ones among them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.contracts.types import DOUBLE, LONG, STRING, Decimal, Field, Type
from lakeshelf.governance.domain.definition import Column, Definition, RowRule, made_key
from lakeshelf.governance.domain.findings import Point
from lakeshelf.governance.validation.judging import validated
from lakeshelf.governance.validation.remote import Worker

MIB = 2**20
CELLS, WAIT_S, START_S = 20, 0.05, 300.0
RULES = (
    RowRule("filled", "not_null", ("store",)),
    RowRule("known", "in_set", ("store",), {"values": [f"S{n}" for n in range(300)]}),
    RowRule("shape", "regex", ("store",), {"pattern": "^S[0-9]+$"}),
    RowRule("range", "between", ("quantity",), {"minimum": 0, "maximum": 500}),
    RowRule("price", "between", ("price",), {"minimum": "0.10"}),
    RowRule("code", "unique", ("code",)),
)
TYPES: Mapping[str, Type] = {
    "store": STRING,
    "quantity": LONG,
    "price": Decimal(12, 2),
    "code": LONG,
    "note": DOUBLE,
}
DEFINITION = Definition(
    1,
    (made_key(), *(Column(Field(n, t, "A column.", required=False)) for n, t in TYPES.items())),
    rules=RULES,
)


def figures(parameters: Parameters) -> list[Figure]:
    """One cell, changes of some sizes, the worker."""
    return [
        Figure("start", "worker from its start until it listens, processor time", "s"),
        Figure("cell", "one row at point cell, processor time of both sides", "ms"),
        *(Figure(f"rows_{n}", f"{n:,} rows, none bad", "s") for n in parameters["rows"]),
        *(Figure(f"bad_{n}", f"{n:,} rows, one in ten bad", "s") for n in parameters["rows"]),
        Figure("idle_memory", "memory of the worker before it judges", "MiB", 350.0),
        Figure("worker_memory", "most memory of the worker", "MiB"),
        Figure("asker_memory", "most memory of who asks it", "MiB"),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Changes that insert into a table as large as themselves, judged by a warm worker."""
    with started() as (worker, process):
        measured = {"start": _spent(process), "idle_memory": process.memory_info().rss / MIB}
        one = rows(1, seed, bad=0)
        judge(worker, one, "cell")
        measured["cell"] = _cost(process, partial(_cells, worker, one))
        measured["cell"] *= 1000 / CELLS
        for number in parameters["rows"]:
            for kind, bad in (("rows", 0), ("bad", number // 10)):
                new = rows(number, seed, bad)
                measured[f"{kind}_{number}"] = _cost(process, partial(judge, worker, new))
                say(f"{kind} {number:,}: {measured[f'{kind}_{number}']:.2f} s")
        measured["worker_memory"] = _most(process)
        measured["asker_memory"] = _most(psutil.Process())
    return {"figures": rounded(measured)}


def rows(number: int, seed: int, bad: int) -> pa.Table:
    """New rows, the first of them below the range."""
    generator = np.random.default_rng(seed)
    quantity = generator.integers(0, 500, number)
    quantity[:bad] = -1
    columns = {
        "row_id": pa.array(range(number), pa.int64()).cast(pa.string()),
        "store": pa.array([f"S{n}" for n in generator.integers(0, 300, number)]),
        "quantity": pa.array(quantity),
        "price": pa.array(generator.integers(1, 900, number), pa.int32()).cast(
            pa.decimal128(12, 2)
        ),
        "code": pa.array(generator.permutation(number)),
        "note": pa.array(generator.random(number)),
    }
    return pa.table(columns, DEFINITION.schema)


def judge(worker: Worker, new: pa.Table, point: Point = "merge") -> None:
    """Every row, against a table of other codes."""
    codes = pa.table({"code": np.arange(len(new), 2 * len(new))})
    report = validated(
        point, DEFINITION, new, new[:0], lambda _: codes.to_reader(), _nothing_else, worker
    )
    bad = pc.sum(pc.less(new["quantity"], 0)).as_py()
    if sum(report.introduced.values()) != bad:
        raise RuntimeError(f"{report.introduced} of {bad:,} bad rows were found")


def _cells(worker: Worker, one: pa.Table) -> None:
    for _ in range(CELLS):
        judge(worker, one, "cell")


def _nothing_else(dataset: str, column: str) -> pa.RecordBatchReader:
    raise RuntimeError(f"{dataset}.{column} is not asked for")


@contextmanager
def started() -> Iterator[tuple[Worker, psutil.Process]]:
    """A worker that answers, and its process."""
    with tempfile.TemporaryDirectory(prefix="lakeshelf-") as folder:
        address = Path(folder) / "worker.sock"
        command = [sys.executable, "-m", "lakeshelf.governance.validation.worker", str(address)]
        with subprocess.Popen(command) as process:
            try:
                _await(address)
                yield Worker(str(address)), psutil.Process(process.pid)
            finally:
                process.terminate()


def _await(address: Path) -> None:
    deadline = time.monotonic() + START_S
    while not address.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no worker at {address} within {START_S:.0f} s")
        time.sleep(WAIT_S)


def _cost(worker: psutil.Process, work: Callable[[], Any]) -> float:
    """Processor seconds of both processes."""
    began = time.process_time() + _spent(worker)
    work()
    return time.process_time() + _spent(worker) - began


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _most(process: psutil.Process) -> float:
    """Largest memory so far, in MiB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


BENCHMARK = Benchmark(
    name="validation",
    title="Validation: six rules over the rows of a change",
    defaults={"rows": [1_000, 100_000, 1_000_000]},
    quick={"rows": [100, 1_000]},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
