"""Spark's commits to a bucket: each is one put on condition, beside those of delta-rs, and a lost answer is settled.

With Delta's own log store for S3, which is safe in one JVM only, a commit is lost that comes at the same time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING

import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Root
from lakeshelf.streams.run import session
from tests.streams.conftest import own_settings, spark  # noqa: F401 - fixtures
from tests.support import eventually

from .serving import Server

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "curated/counts"
APPENDING = """
import sys
from lakeshelf.lake import Lake
lake, writes = Lake(sys.argv[1]), int(sys.argv[2])
for n in range(writes):
    print(n, lake.append("curated/counts", [{"writer": 1, "n": n}], txn=("w1", n)).version, flush=True)
"""


@pytest.fixture
def remote(spark: SparkSession, root: str) -> SparkSession:  # noqa: F811
    session.reach(spark, root)
    return spark.newSession()


def append(remote: SparkSession, place: str, n: int) -> None:
    rows = remote.createDataFrame([(0, n)], "writer bigint, n bigint")
    rows.coalesce(1).write.format("delta").mode("append").save(place)


def raced(remote: SparkSession, root: str, place: str, writes: int) -> Counter[tuple[int, int]]:
    """Rows of a table to which Spark and delta-rs append at once; both say that all was done."""
    Lake(root).append(NAME, [{"writer": 1, "n": -1}])
    other = subprocess.Popen(
        [sys.executable, "-c", APPENDING, root, str(writes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    for n in range(writes):
        append(remote, place, n)
    out, err = other.communicate(timeout=600)
    assert other.returncode == 0, err
    assert len(out.splitlines()) == writes
    rows = Lake(root).read(NAME).read_all().to_pylist()
    return Counter((row["writer"], row["n"]) for row in rows if row["n"] >= 0)


@pytest.mark.slow
@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.nightly)])
def test_spark_and_delta_rs_append_at_once_and_nothing_is_lost(
    remote: SparkSession, root: str, times: int
) -> None:
    rows = raced(remote, root, Root.at(root).for_spark(NAME), times)
    assert rows == Counter({(writer, n): 1 for writer in (0, 1) for n in range(times)})


@pytest.mark.slow
def test_deltas_own_log_store_loses_what_it_said_was_done(
    remote: SparkSession, server: Server
) -> None:
    """The guarantee taken away: without the condition Spark puts its entry over the one that came while it was late.

    Addresses of `s3://` are left to it by Delta.
    """
    configuration = remote.sparkContext._jsc.hadoopConfiguration()
    configuration.set("fs.s3.impl", "org.apache.hadoop.fs.s3a.S3AFileSystem")
    root, number = f"s3://{server.bucket('late')}/lake", count()
    lake = Lake(root)

    def is_done() -> bool:
        lake.append(NAME, [{"writer": 1, "n": next(number)}])
        return spark_is_done.done()

    lake.append(NAME, [{"writer": 1, "n": next(number)}])
    with ThreadPoolExecutor(1) as pool:
        spark_is_done = pool.submit(append, remote, Root.at(root).of(NAME), 0)
        eventually(is_done, "Spark appends")
        spark_is_done.result()
    assert lake.read(NAME).read_all().num_rows == next(number), "one of them, and Spark's instead"


@pytest.mark.slow
def test_an_entry_whose_answer_is_lost_is_known_again(remote: SparkSession, server: Server) -> None:
    root = f"s3://{server.bucket('deaf')}/lake"
    place = Root.at(root).for_spark(NAME)
    for n in range(4):  # the answer to version 2 never comes
        append(remote, place, n)
    assert sorted(row["n"] for row in Lake(root).read(NAME).read_all().to_pylist()) == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize(("term", "is_written"), [(7, True), (6, False)])
def test_no_entry_is_written_under_a_term_that_is_over(
    remote: SparkSession, root: str, term: int, is_written: bool
) -> None:
    place, lease = Root.at(root).for_spark(NAME), Root.at(root).for_spark("_leases/query.json")
    append(remote, place, 0)
    files, base = storage.filesystem(Root.at(root))
    with files.open_output_stream(f"{base}/_leases/query.json") as out:
        out.write(b'{"term": 7}')
    remote.conf.set("io.lakeshelf.lease", lease)
    remote.conf.set("io.lakeshelf.term", str(term))
    if is_written:
        append(remote, place, 1)
    else:
        with pytest.raises(Exception, match=r"lease lost: .* is of term 7, not of 6"):
            append(remote, place, 1)
    assert Lake(root).read(NAME).read_all().num_rows == 1 + is_written
