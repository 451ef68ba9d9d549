"""Who commits a batch where its size decides, and that changing does not go back and forth."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit.ledger import Offsets
from lakeshelf.streams.run.committing import RECOUNT_BATCHES, Committing
from tests.streams import harness
from tests.streams.recover.test_recovery import FIRST


def of(rows: int) -> Offsets:
    """A batch of so many records, in two topics."""
    return {"shelf_events": {"0": (5, 5 + rows - 1)}, "wh_events": {"1": (0, 1)}}


def committing(root: Path, **settings: int | str) -> Committing:
    values = {"committer": "size", "driver_batch_rows": 1_000, **settings}
    return Committing(harness.folding(), load_settings(lake_root=root, **values), {})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return harness.make(tmp_path / "lake", harness.folding())


def chosen(committing: Committing, sizes: list[int]) -> list[str]:
    names = []
    for size in sizes:
        committing.choose(of(size))
        names.append(committing.sink(None).name)
    return names


def test_small_batches_are_the_drivers_and_large_ones_sparks(root: Path) -> None:
    assert chosen(committing(root), [1, 1_000, 1_001, 200_000]) == ["driver"] * 2 + ["spark"] * 2


def test_spark_goes_on_until_batches_are_clearly_small(root: Path) -> None:
    sizes = [2_000, 900, 600, 500, 900, 1_000, 1_001]
    assert chosen(committing(root), sizes) == ["spark"] * 3 + ["driver"] * 3 + ["spark"]


def test_a_change_is_told_once(root: Path) -> None:
    one = committing(root)
    assert [one.choose(of(size)) for size in (10, 10, 5_000, 5_000)] == [True, False, True, False]


@pytest.mark.slow
def test_tables_that_the_driver_cannot_hold_stay_sparks(root: Path) -> None:
    harness.Runner(root).run(0, FIRST)
    held = sum(tables.row_count(root, update.table) for update in harness.folding().updates)
    assert held > 2
    assert chosen(committing(root, driver_state_rows=held - 1), [1, 1]) == ["spark", "spark"]
    assert chosen(committing(root, driver_state_rows=held), [1, 1]) == ["driver", "driver"]


@pytest.mark.slow
def test_tables_that_outgrow_the_driver_become_sparks_while_it_runs(root: Path) -> None:
    one = committing(root, driver_state_rows=0)
    assert chosen(one, [1]) == ["driver"]
    harness.Runner(root).run(0, FIRST)
    changes = [one.choose(of(1)) for _ in range(RECOUNT_BATCHES)]
    assert (sum(changes), one.sink(None).name) == (1, "spark")


@pytest.mark.slow
def test_tables_that_do_not_fit_are_not_counted_for_every_batch(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count opens every table, which takes longer than a small batch where the lake is in a bucket."""
    harness.Runner(root).run(0, FIRST)
    counts, counted = [], tables.row_count
    monkeypatch.setattr(tables, "row_count", lambda *table: counts.append(table) or counted(*table))
    one = committing(root, driver_state_rows=0)
    names = chosen(one, [1] * (RECOUNT_BATCHES + 1))
    assert set(names) == {"spark"}
    assert len(counts) == 2 * len({update.table for update in harness.folding().updates})


@pytest.mark.parametrize("name", ["driver", "spark"])
def test_a_committer_that_is_named_has_all_batches(root: Path, name: str) -> None:
    assert chosen(committing(root, committer=name), [1, 10_000_000]) == [name, name]
