"""Many small files in `bronze/`, loaded by three workers that are killed at random."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
from deltalake import write_deltalake

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.ingestion import scan
from lakeshelf.lake import Lake

DATASET = "silver/notes"
LEASE_S = 5
SCRIPT = f"""
import sys
from datetime import timedelta
from lakeshelf.ingestion import scan
from lakeshelf.lake import Lake
scan(Lake(sys.argv[1]), settle=timedelta(0), lease=timedelta(seconds={LEASE_S}))
"""


def figures(parameters: Parameters) -> list[Figure]:
    """Time, kills, and that every row is there once."""
    files = f"{parameters['files']:,} files"
    return [
        Figure("seconds", f"{files}, {parameters['workers']} workers killed at random", "s", 120),
        Figure("calm", f"{files}, one worker left alone", "s"),
        Figure("plain", f"{files}: plain pyarrow and delta-rs in one commit, no books kept", "s"),
        Figure("kills", "workers killed", ""),
        Figure("wrong", "rows lost or doubled", "", 0),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """The same files three times: with kills, calmly, and by plain libraries."""
    files, rows = parameters["files"], parameters["rows"]
    chance = random.Random(seed)
    stormy, calm, plain = (folder / name for name in ("stormy", "calm", "plain"))
    for lake in (stormy, calm, plain):
        _drop(lake, files, rows)
    seconds, kills = _stormy(stormy, parameters, chance)
    say(f"{files:,} files in {seconds:.1f} s with {kills} kills")
    begun = time.perf_counter()
    scan(Lake(calm))
    left_alone = time.perf_counter() - begun
    begun = time.perf_counter()
    _plain(plain)
    measured = {
        "seconds": seconds,
        "calm": left_alone,
        "plain": time.perf_counter() - begun,
        "kills": kills,
        "wrong": _wrong(Lake(stormy), files, rows),
    }
    return {"figures": rounded(measured)}


def _drop(lake: Path, files: int, rows: int) -> None:
    folder = lake / "bronze" / DATASET.partition("/")[2]
    for number in range(files):
        place = folder / f"{number % 100:02}" / f"{number:06}.csv"
        place.parent.mkdir(parents=True, exist_ok=True)
        lines = (f"{number * rows + row},note {row},{row / 4}" for row in range(rows))
        place.write_text("id,note,weight\n" + "\n".join(lines) + "\n", encoding="utf-8")


def _stormy(lake: Path, parameters: Parameters, chance: random.Random) -> tuple[float, int]:
    """Seconds until nothing is pending, and how many workers were killed."""
    begun, kills = time.perf_counter(), 0
    workers = [_worker(lake) for _ in range(parameters["workers"])]
    while workers:
        time.sleep(chance.uniform(0.5, 3.0))
        running = [worker for worker in workers if worker.poll() is None]
        if running and kills < parameters["kills"]:
            victim = chance.choice(running)
            victim.kill()
            victim.wait()
            kills += 1
            running = [*(worker for worker in running if worker is not victim), _worker(lake)]
        workers = running
    return time.perf_counter() - begun, kills


def _worker(lake: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(lake)])


def _plain(lake: Path) -> None:
    parts = [pacsv.read_csv(file) for file in sorted((lake / "bronze").rglob("*.csv"))]
    write_deltalake(str(lake / DATASET), pa.concat_tables(parts))


def _wrong(lake: Lake, files: int, rows: int) -> int:
    ids = lake.read(DATASET, columns=["id"]).read_all()["id"].to_pylist()
    return len(set(range(files * rows)) ^ set(ids)) + len(ids) - len(set(ids))


BENCHMARK = Benchmark(
    name="bronze",
    title="Small files in bronze/",
    defaults={"files": 10_000, "rows": 20, "workers": 3, "kills": 10},
    quick={"files": 50, "rows": 3, "workers": 2, "kills": 1},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
