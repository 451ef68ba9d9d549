"""The canonical table: rows at a version, and changes that hold for that version alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.contracts.types import LONG, STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.main import FEW_KEYS, MainTable, regrouped
from lakeshelf.lake import Conflict
from lakeshelf.lake.place.location import Root

COLUMNS = tuple(
    Column(Field(name, type_, "What it is.", required=False))
    for name, type_ in (("store", STRING), ("shelf", STRING), ("least", LONG), ("actor", STRING))
)


def table(root: Path, *key: str) -> MainTable:
    definition = Definition(1, COLUMNS, key)
    made = MainTable(Folder(Root.at(root), "retail", "limits"), definition)
    made.create()
    return made


def rows(*of: tuple[str, str, int]) -> pa.Table:
    return pa.table(
        {name: [row[n] for row in of] for n, name in enumerate(("store", "shelf", "least"))}
    )


def apply(made: MainTable, number: int, new: pa.Table, gone: pa.Table | None = None) -> int | None:
    opened = made.opened()
    deleted = new.select(made.definition.key).slice(0, 0) if gone is None else gone
    return opened.apply(new, deleted, ("cr:1", number), {"kind": "edit"}).version


def held(made: MainTable) -> set[tuple[str, str, int]]:
    return {
        (r["store"], r["shelf"], r["least"]) for r in made.opened().reader().read_all().to_pylist()
    }


def test_rows_come_change_and_go_in_one_commit_each(tmp_path: Path) -> None:
    made = table(tmp_path, "store", "shelf")
    assert apply(made, 1, rows(("s1", "a", 1), ("s1", "b", 2), ("s2", "a", 3))) == 1
    gone = pa.table({"store": ["s1"], "shelf": ["b"]})
    assert apply(made, 2, rows(("s1", "a", 10), ("s3", "a", 4)), gone) == 2
    assert held(made) == {("s1", "a", 10), ("s2", "a", 3), ("s3", "a", 4)}


@pytest.mark.slow
@pytest.mark.parametrize("key", [("shelf",), ("store", "shelf")], ids=["one column", "two columns"])
@pytest.mark.parametrize("count", [3, FEW_KEYS + 5], ids=["few", "many"])
def test_rows_of_keys_are_those_and_no_others(
    tmp_path: Path, key: tuple[str, ...], count: int
) -> None:
    made = table(tmp_path, *key)
    apply(made, 1, rows(*((f"s{n % 2}", f"{n}", n) for n in range(2 * count))))
    wanted = [*range(0, 2 * count, 2)]
    keys = {"store": [f"s{n % 2}" for n in wanted], "shelf": [f"{n}" for n in wanted]}
    asked = pa.table({name: [*keys[name], "none"] for name in key})
    found = made.opened().rows(asked)
    assert found.schema == made.definition.schema
    assert sorted(found["least"].to_pylist()) == wanted


@pytest.mark.parametrize("sizes", [[], [0, 0], [3], [5, 0, 5], [1, 1, 1, 1, 1, 1], [17]])
def test_tables_are_cut_into_equal_ones_and_no_row_is_lost(sizes: list[int]) -> None:
    numbers = iter(range(100))
    given = [
        pa.table({"n": pa.array([next(numbers) for _ in range(n)], pa.int64())}) for n in sizes
    ]
    cut = list(regrouped(given, 5))
    assert [n for table in cut for n in table["n"].to_pylist()] == list(range(sum(sizes)))
    assert all(table.num_rows == 5 for table in cut[:-1])
    assert all(0 < table.num_rows <= 5 for table in cut)


def test_no_keys_are_no_rows(tmp_path: Path) -> None:
    made = table(tmp_path, "shelf")
    assert made.opened().rows(pa.table({"shelf": pa.array([], pa.string())})).num_rows == 0


def test_a_change_holds_for_the_version_that_was_opened_alone(tmp_path: Path) -> None:
    made = table(tmp_path, "shelf")
    opened = made.opened()
    made.opened().fence(("cr:1", 1), {"kind": "fence"})
    with pytest.raises(Conflict):
        opened.apply(
            rows(("s", "a", 1)), pa.table({"shelf": pa.array([], pa.string())}), ("cr:2", 1), {}
        )
    assert held(made) == set()


def test_a_change_is_known_by_its_identity(tmp_path: Path) -> None:
    made = table(tmp_path, "shelf")
    assert not made.opened().is_done("cr:1", 1)
    apply(made, 1, rows(("s", "a", 1)))
    assert made.opened().is_done("cr:1", 1)
    assert not made.opened().is_done("cr:1", 2)
