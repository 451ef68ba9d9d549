"""Processes that write one lake in a bucket at once, and die in the middle: nothing is lost, nothing is there twice.

The promise stands on the store's conditional put: the last test takes it away.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Conflict, Lake
from lakeshelf.lake.place.claims import claim

from .serving import Server

NAME = "curated/counts"
WRITERS, WRITES = 3, 4
PROGRAM = """
import sys
from lakeshelf.lake import Lake
root, kind, writer, writes, txns = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5] == "txns"
lake = Lake(root)
for n in range(writes):
    rows = [{"writer": writer, "n": n}]
    txn = {"txn": (f"w{writer}", n)} if txns else {}
    if kind == "append":
        lake.append("curated/counts", rows, **txn)
    else:
        lake.merge("curated/counts", rows, ["writer", "n"], **txn)
    print(n, flush=True)
"""


def started(root: str, kind: str, writer: int, *, txns: bool = True) -> subprocess.Popen[str]:
    arguments = [root, kind, str(writer), str(WRITES), "txns" if txns else ""]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def ended(process: subprocess.Popen[str]) -> None:
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


def counted(root: str) -> Counter[tuple[int, int]]:
    rows = Lake(root).read(NAME).read_all().to_pylist()
    return Counter((row["writer"], row["n"]) for row in rows)


WHOLE = Counter({(w, n): 1 for w in range(WRITERS) for n in range(WRITES)})


def prepared(root: str) -> None:
    """A table that is there, so that processes only write."""
    Lake(root).merge(NAME, [{"writer": 99, "n": 0}], ["writer", "n"])


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["append", "merge"])
def test_processes_that_write_at_once_lose_nothing(root: str, kind: str) -> None:
    prepared(root)
    processes = [started(root, kind, w) for w in range(WRITERS)]
    for process in processes:
        ended(process)
    assert counted(root) - Counter({(99, 0): 1}) == WHOLE


@pytest.mark.faults
def test_a_writer_that_is_killed_and_started_again_writes_each_row_once(root: str) -> None:
    prepared(root)
    other = started(root, "merge", 1)
    chance = random.Random(4)
    for kill_after in (0, 1, 2):
        victim = started(root, "append", 0)
        assert victim.stdout is not None
        for line in victim.stdout:
            if int(line) >= kill_after:
                break
        time.sleep(chance.uniform(0, 0.05))  # somewhere within the next write
        victim.kill()
        victim.communicate()
    for process in (started(root, "append", 0), started(root, "append", 2), other):
        ended(process)
    assert counted(root) - Counter({(99, 0): 1}) == WHOLE


@pytest.mark.slow
def test_without_conditional_put_commits_are_lost(server: Server) -> None:
    """The guarantee taken away: a store that takes every put, also that of a writer who is late."""
    root = f"s3://{server.bucket('unconditional')}/lake"
    prepared(root)
    processes = [started(root, "append", w, txns=False) for w in range(WRITERS)]
    for process in processes:
        process.communicate(timeout=300)  # one that finds its commit replaced may well fail
    assert WHOLE - counted(root)


def test_a_commit_whose_answer_is_lost_is_made_once(server: Server) -> None:
    lake = Lake(f"s3://{server.bucket('deaf')}/lake")
    lake.merge(NAME, [{"writer": 0, "n": 0}], ["writer", "n"], txn=("me", 0))
    lake.append(NAME, [{"writer": 0, "n": 1}], txn=("me", 1))
    assert lake.snapshot(NAME).version == 2
    assert counted(lake.root.uri) == Counter({(0, 0): 1, (0, 1): 1})


@pytest.mark.parametrize(("kind", "version"), [("append", 3), ("merge", 2)])
def test_without_identity_the_rows_are_there_once_but_an_append_is_two_commits(
    server: Server, kind: str, version: int
) -> None:
    """Nobody can know that the commit in the way is one's own; the second one names the same file again."""
    lake = Lake(f"s3://{server.bucket('deaf')}/lake")
    lake.merge(NAME, [{"writer": 0, "n": 0}], ["writer", "n"])
    getattr(lake, kind)(NAME, [{"writer": 0, "n": 1}])
    assert lake.snapshot(NAME).version == version
    assert counted(lake.root.uri) == Counter({(0, 0): 1, (0, 1): 1})
    feed = pa.table(lake.snapshot(NAME).handle.load_cdf(starting_version=2))
    assert feed.num_rows == version - 1, (
        "who reads changes without a key is told of the append twice"
    )


def test_a_lake_belongs_to_the_state_folder_that_claimed_it(root: str, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    claim(root, here)
    claim(root, here)
    with pytest.raises(Conflict, match=f"run with {here} on "):
        claim(root, there)
    here.rename(tmp_path / "moved")
    claim(root, tmp_path / "moved")
    assert Lake(root).names() == []


@pytest.mark.slow
def test_of_two_who_claim_a_lake_at_once_one_has_it(root: str, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lakeshelf.lake.place.claims import claim\n"
        "claim(sys.argv[1], Path(sys.argv[2]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, root, str(tmp_path / str(n))],
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for n in range(3)
    ]
    for process in processes:
        process.communicate(timeout=300)
    assert sorted(process.returncode for process in processes) == [0, 1, 1]


def test_a_folder_that_holds_its_locks_needs_no_claim(tmp_path: Path) -> None:
    claim(tmp_path, tmp_path)
    assert list(tmp_path.iterdir()) == []
    claim(tmp_path, tmp_path / "elsewhere")
    with pytest.raises(Conflict):
        claim(tmp_path, tmp_path / "third")
