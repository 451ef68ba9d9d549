"""Where a checkpoint and a ledger agree, for every pair of ends that they can have."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.streams.commit.ledger import Account
from lakeshelf.streams.resume import checkpoint, continuity
from lakeshelf.streams.resume.checkpoint import Checkpoint
from tests.streams import harness

QUERY = "shelf-aggregator"
Ends = list[dict[str, int]]
_sizes = st.lists(st.integers(1, 3), min_size=1, max_size=5)


def ends_of(sizes: list[int], base: int) -> Ends:
    """Where each batch ends, in two partitions of which each batch reads one."""
    at, found = {"0": base, "1": base}, []
    for number, size in enumerate(sizes):
        at = {**at, str(number % 2): at[str(number % 2)] + size}
        found.append(at)
    return found


def account_of(ends: Ends, base: int, first: int) -> Account:
    """A ledger that has these batches."""
    held, before = Account(), {"0": base, "1": base}
    for number, at in enumerate(ends):
        offsets = {"shelf_events": {p: [before[p], end] for p, end in at.items()}}
        held.take(row(number + first, offsets))
        before = at
    return held


def row(number: int, offsets: Any, kind: str = "batch") -> dict[str, Any]:
    return {
        "query_id": QUERY,
        "batch_id": number,
        "kind": kind,
        "offsets": offsets,
        "table_versions": {},
    }


def checkpoint_of(root: Path, ends: Ends, done: int, base: int, first: int) -> Checkpoint:
    """A checkpoint that has logged the offsets of all batches and committed `done` of them."""
    begun = checkpoint.begin(root, QUERY, {"shelf_events": {"0": base, "1": base}}, QUERY, first)
    for folder in ("offsets", "commits"):
        (begun.path / folder).mkdir(parents=True)
    for number, at in enumerate(ends):
        lines = ("v1", "{}", json.dumps({"shelf_events": at}))
        (begun.path / "offsets" / str(number)).write_text("\n".join(lines))
    for number in range(done):
        (begun.path / "commits" / str(number)).write_text("v1\n{}")
    return begun


@given(
    _sizes,
    st.integers(0, 5),
    st.booleans(),
    st.integers(0, 5),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_a_query_goes_on_only_where_its_ledger_ends_or_with_the_batch_behind(
    sizes: list[int], done: int, begun: bool, written: int, base: int, first: int
) -> None:
    """A batch comes into the ledger before Spark knows of its end, so the ledger may be one ahead."""
    ends = ends_of(sizes, base)
    done, written = min(done, len(ends)), min(written, len(ends))
    logged = min(done + begun, len(ends))
    with tempfile.TemporaryDirectory() as folder:
        held = checkpoint_of(Path(folder), ends[:logged], done, base, first)
        account = account_of(ends[:written], base, first)
        breaks = list(continuity._positions(harness.folding(), account, held))
    goes_on = written == done or (logged > done and written == logged)
    assert (not breaks) == goes_on
    assert all(b.continuable for b in breaks)


def test_what_a_rebuild_reads_again_is_no_longer_reached() -> None:
    held = Account()
    held.take(row(4, {"shelf_events": {"0": [0, 9]}, "batch_catalog": {"0": [0, 3]}}))
    held.take(row(0, {"shelf_events": {"0": [0, 7]}}, "rebuild"))
    assert held.reached == {"shelf_events": {"0": 7}}
    assert held.number == 4, "numbers go on rising"


def test_a_clock_that_was_set_back_takes_nothing_from_what_the_ledger_knows() -> None:
    held = Account()
    for number, offsets, version in ((5, [4, 9], 7), (4, [0, 4], 6)):
        tables = {"table_versions": {"raw/shelf_events": version}}
        held.take(row(number, {"shelf_events": {"0": offsets}}) | tables)
    assert (held.number, held.reached) == (5, {"shelf_events": {"0": 9}})
    assert held.versions == {"raw/shelf_events": 7}


def test_a_pointer_of_old_has_the_identity_of_sparks_query(tmp_path: Path) -> None:
    found = checkpoint.begin(tmp_path, QUERY, {})
    pointer = tmp_path / QUERY / checkpoint.POINTER
    pointer.write_text('{"generation": 0, "starting": {}}')
    found.path.mkdir()
    (found.path / "metadata").write_text('{"id": "an-id"}')
    old = checkpoint.current(tmp_path, QUERY)
    assert (old.identity(), old.base, old.starting) == ("an-id", 0, {})


def test_a_batch_that_is_done_again_is_what_spark_begins_with(tmp_path: Path) -> None:
    begins, until = {"shelf_events": {"0": 4}}, {"shelf_events": {"0": 9}}
    begun = checkpoint.begin(tmp_path, QUERY, begins, "an-id", 7, first=until)
    assert checkpoint.current(tmp_path, QUERY) == begun
    assert begun.offsets(0) == {"shelf_events": {"0": (4, 9)}}
    assert (begun.unfinished(), begun.next_number()) == (0, 7)
    assert checkpoint.problems(begun) == []
