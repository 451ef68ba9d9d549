"""A cluster: a batch of a thousand records on standalone Spark beside the same on `local[2]`, the lake in a bucket."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from pyarrow import fs

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, wait_for
from lakeshelf.settings import load_settings, project_home
from lakeshelf.stack.machine import ports
from lakeshelf.stack.toolchain import java
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.declare import plan
from lakeshelf.streams.declare.plan import QueryPlan
from tests.containers import engine
from tests.standalone.cluster import Cluster
from tests.standalone.driving import JOB, Driving

BUCKET = "lakeshelf"
KEYS = {"AWS_ACCESS_KEY_ID": "benchmark", "AWS_SECRET_ACCESS_KEY": "benchmark-benchmark"}
WORKERS = 2
FOLD_S = 1_800.0
ON_LOCAL, ON_CLUSTER = "local", "cluster"


def figures(parameters: Parameters) -> list[Figure]:
    """Medians of batches once everything is warm, and all records of a catch-up from a cold start."""
    rows, many = f"{parameters['rows']:,}", f"{parameters['events']:,}"
    places = {
        "local_driver": "`local[2]`, driver committer",
        "local_spark": "`local[2]`, Spark committer",
        "cluster_spark": "two executors, Spark committer",
    }
    return [
        *(Figure(f"{key}_ms", f"a batch of {rows}: {place}", "ms") for key, place in places.items()),
        Figure("ratio", "the last over the one before", "", 3.0),
        *(Figure(f"{key}_s", f"{many} from a cold start: {place}", "s") for key, place in places.items()),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Fold the same on each, a lake each, in one S3 server."""
    measured: dict[str, float] = {}
    with _s3(folder / "s3"):
        for name, committer in (
            (ON_LOCAL, "driver"),
            (ON_LOCAL, "spark"),
            (ON_CLUSTER, "spark"),
        ):
            key = f"{name}_{committer}"
            place = folder / key
            place.mkdir()
            os.environ["LAKESHELF_STATE_DIR"] = str(place / "state")
            small, large = _measured(parameters, place, name, committer)
            measured |= {f"{key}_ms": small, f"{key}_s": large}
            say(f"{key}: {small:.0f} ms a batch, {large:.0f} s for all")
    measured["ratio"] = measured["cluster_spark_ms"] / measured["local_spark_ms"]
    return {"figures": rounded(measured)}


def _measured(
    parameters: Parameters, folder: Path, name: str, committer: str
) -> tuple[float, float]:
    """Milliseconds of a small batch, and seconds of many records from a cold start."""
    settings = load_settings()
    cluster = Cluster(folder, java.java_home(settings), workers=WORKERS, cores=1)
    driving = Driving(folder, cluster, f"s3://{BUCKET}/{folder.name}")
    query = _query(driving)
    driving.plans = (query,)
    try:
        driving.move(parameters["events"])
        master = cluster.master if name == ON_CLUSTER else "local[2]"
        began = time.perf_counter()
        jobs = [job.name for job in query.jobs]
        driving.run("jobs", "run", *jobs, "--master", master, LAKESHELF_COMMITTER=committer)
        wait_for("all of them", driving.is_folded, FOLD_S)
        large = time.perf_counter() - began
        return _small(driving, query.name, parameters), large
    finally:
        driving.close()
        cluster.close()


def _query(driving: Driving) -> QueryPlan:
    """The query of the job: in a bucket its jobs go together."""
    (query,) = (q for q in plan.plan(driving.jobs.values()) if JOB in {job.name for job in q.jobs})
    return query


def _small(driving: Driving, query: str, parameters: Parameters) -> float:
    """Median milliseconds of batches of so many records, the first ones left out.

    A batch may begin while records still arrive, and have a part of them: it does not count, and others are sent.
    """
    whole: list[float] = []
    while len(whole) < parameters["warm"] + parameters["batches"]:
        before = driving.batches(query)
        driving.move(parameters["rows"])
        wait_for("all of them", driving.is_folded, FOLD_S)
        wait_for("a batch", partial(_has_batches, driving, query, before + 1), FOLD_S)
        whole = [
            row["duration_ms"]
            for row in ledger.entries(driving.settings.lake_root, query)
            if row["rows_in"] == parameters["rows"]
        ]
    return statistics.median(whole[-parameters["batches"] :])


def _has_batches(driving: Driving, query: str, count: int) -> bool:
    return driving.batches(query) >= count


@contextmanager
def _s3(folder: Path) -> Iterator[None]:
    """An S3 server on loopback with a bucket; variables that reach it."""
    data, metadata = folder / "data", folder / "metadata"
    for place in (data / BUCKET, metadata):
        place.mkdir(parents=True)
    address = f"{ports.LOOPBACK}:{ports.choose(1)[0]}"
    roots = dict(zip(("ROOT_ACCESS_KEY", "ROOT_SECRET_KEY"), KEYS.values(), strict=True))
    process = subprocess.Popen(
        [engine.s3_server(), "--port", address, "posix", "--sidecar", metadata, data],
        env=os.environ | roots,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    cache = str(project_home() / ".cache")
    reached = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://{address}", **KEYS}
    os.environ.update(reached, LAKESHELF_CACHE_DIR=cache)
    try:
        wait_for("the S3 server", lambda: _answers(address), 30)
        yield
    finally:
        process.terminate()
        process.wait()


def _answers(address: str) -> bool:
    key, secret = KEYS.values()
    store = fs.S3FileSystem(
        access_key=key, secret_key=secret, endpoint_override=address, scheme="http"
    )
    try:
        return str(store.get_file_info(BUCKET).type.name) == "Directory"
    except OSError:
        return False


BENCHMARK = Benchmark(
    name="cluster",
    title="A cluster of Spark",
    defaults={"rows": 1_000, "warm": 5, "batches": 10, "events": 1_000_000},
    quick={"rows": 100, "warm": 1, "batches": 2, "events": 500},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
