"""A run is verified from the data: what was changed behind its back is found, whatever the log says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.derived import jsonschema as json_contract
from lakeshelf.lake import Lake, NotFound, all_of, any_of, not_
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.history.verification import Difference, verify
from tests.conftest import Run

A, B, C = "curated/a", "curated/b", "curated/c"
PUBLISHED = Path(__file__).parents[3] / "docs" / "reference" / "run.schema.json"
ROWS = [
    {
        "k": number,
        "v": f"v{number}",
        "at": datetime(2026, 1, number + 1, tzinfo=UTC),
        "day": date(2026, 1, number + 1),
        "price": Decimal(f"{number}.50"),
        "raw": bytes([number]),
        "list": [number],
    }
    for number in range(4)
]


def done(root: Path) -> Lake:
    """A lake with a run of everything that a run can do."""
    lake = Lake(root, who="tests")
    lake.merge(A, ROWS, keys=["k"])
    with lake.run("all", why="test") as run:
        conditions = [
            ("v", "in", ["v1", "v2", "v3"]),
            ("at", ">=", datetime(2026, 1, 2, tzinfo=UTC)),
            ("day", "<", date(2026, 1, 4)),
            ("price", ">", Decimal("1.00")),
            ("raw", "!=", b"\x09"),
            ("k", "is not null"),
            any_of(
                ("k", "<", Decimal("2.5")), not_(all_of(("raw", "=", b"\x02"), ("k", "is null")))
            ),
        ]
        assert run.read(A, columns=["v", "k"], where=conditions).read_all().num_rows == 2
        run.read(A).read_all()
        run.append(B, ROWS)
        run.merge(B, [ROWS[0] | {"v": "new"}, ROWS[1], ROWS[2] | {"k": 9}], keys=["k"])
        run.replace(B, [ROWS[3] | {"k": 3}], where=[("v", "=", "v3")])
        run.overwrite(C, ROWS[:2])
        run.append(C, ROWS[2:])
    return lake


def found(lake: Lake, run: str = "all") -> list[Difference]:
    return list(verify(lake, run))


def files(lake: Lake, name: str, at: int | None = None) -> list[Path]:
    return [Path(uri) for uri in lake.snapshot(name, at).handle.file_uris()]


def tamper(path: Path, column: str, value: Any) -> None:
    """Other values in as many rows, in the place of a data file."""
    rows = pq.read_table(path)
    place = rows.column_names.index(column)
    other = pa.array([value] * rows.num_rows, rows.schema.field(column).type)
    put(path, rows.set_column(place, column, other))


def put(path: Path, rows: pa.Table) -> None:
    """Other rows in the place of a data file; the log tells the file's new size, and else what it told."""
    before = path.stat().st_size
    pq.write_table(rows, path)
    for log in (path.parent / "_delta_log").glob("*.json"):
        lines = log.read_text().splitlines()
        sizes = f'"size":{before}', f'"size":{path.stat().st_size}'
        told = [line.replace(*sizes) if path.name in line else line for line in lines]
        log.write_text("\n".join(told))


def test_a_run_that_nobody_touched_verifies(tmp_path: Path) -> None:
    lake = done(tmp_path)
    assert found(lake) == []
    lake.overwrite(B, ROWS[:1])
    lake.overwrite(A, ROWS[:1])
    assert found(lake) == [], "later versions are not its own"


@pytest.mark.parametrize(("name", "kind"), [(A, "read"), (B, "write"), (C, "write")])
def test_values_that_were_changed_in_a_data_file_are_found(
    tmp_path: Path, name: str, kind: str
) -> None:
    lake = done(tmp_path)
    tamper(files(lake, name)[0], "v", "tampered")
    differences = found(lake)
    assert {(d.dataset, d.kind) for d in differences} == {(name, kind)}
    assert "content" in {d.what for d in differences} <= {"content", "rows"}


def test_rows_that_are_missing_in_a_data_file_are_found_although_the_log_counts_them(
    tmp_path: Path,
) -> None:
    lake = done(tmp_path)
    path = files(lake, C)[0]
    put(path, pq.read_table(path).slice(1))
    assert lake.snapshot(C).handle.count() == len(ROWS), "as the log says"
    assert {d.what for d in found(lake)} == {"rows", "content"}


def test_a_data_file_that_is_gone_is_found(tmp_path: Path) -> None:
    lake = done(tmp_path)
    files(lake, B)[0].unlink()
    assert [(d.dataset, d.what) for d in found(lake)] == [(B, "data")]


def test_a_table_that_was_created_again_is_found(tmp_path: Path) -> None:
    lake = done(tmp_path)
    (tmp_path / C).rename(tmp_path / "gone")
    for part in (ROWS[:2], ROWS[2:]):
        lake.append(C, part)
    assert "table_id" in {d.what for d in found(lake)}


@pytest.mark.parametrize(
    ("column", "value"),
    [("rows", 99), ("schema_fingerprint", "other"), ("reader_version", 3), ("parts", None)],
)
def test_each_recorded_column_is_compared(tmp_path: Path, column: str, value: Any) -> None:
    lake = done(tmp_path)
    rows = lake.read("ops/runs").read_all().to_pylist()
    for row in rows:
        parts = json.loads(row["parts"])
        parts[-1]["rows"] = 99
        row[column] = value if value is not None and column != "rows" else row[column]
        row["parts"] = json.dumps(parts) if column in ("rows", "parts") else row["parts"]
    lake.overwrite("ops/runs", rows)
    assert {d.kind for d in found(lake)} == {"read", "write"}


def test_changes_that_a_run_took_up_are_verified(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    consumer = Consumer("copy", B)
    lake.merge(A, ROWS, keys=["k"])
    for run_id, value in (("one", "a"), ("two", "b")):
        with lake.run(run_id) as run:
            changes = run.changes(A, consumer)
            rows = changes.rows.read_all().select(["k", "v"])
            run.append(B, rows, txn=changes.txns)
        lake.merge(A, [ROWS[0] | {"v": value}], keys=["k"])
        assert found(lake, run_id) == []
    tamper(files(lake, B)[0], "v", "tampered")
    assert found(lake, "two")


def test_a_reading_that_was_left_is_recorded_as_far_as_it_went(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append(A, ROWS)
    with lake.run("left") as run:
        run.read(A)
    (row,) = lake.read("ops/runs").read_all().to_pylist()
    assert (row["rows"], "content" in json.loads(row["parts"])[0]) == (0, False)
    assert found(lake, "left") == []


def test_an_unknown_run_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no run 'none'"):
        found(Lake(tmp_path), "none")


def test_the_commands_say_what_differs_and_exit_with_2(lake: Path, lakeshelf: Run) -> None:
    opened = done(lake)
    fine = lakeshelf("lake", "verify-run", "all")
    assert (fine.code, fine.out.strip()) == (0, "run all: everything is as it was recorded")
    assert json.loads(lakeshelf("lake", "verify-run", "all", "--json").out) == []
    files(opened, B)[0].unlink()
    told = lakeshelf("lake", "verify-run", "all", "--json")
    assert (told.code, json.loads(told.out)[0]["dataset"]) == (2, B)
    assert B in lakeshelf("lake", "verify-run", "all").out
    unknown = lakeshelf("lake", "verify-run", "none")
    assert (unknown.code, unknown.error) == (
        1,
        "error: no run 'none'; `lakeshelf lake runs` lists the runs",
    )


def test_runs_are_listed_as_the_published_schema_says(lake: Path, lakeshelf: Run) -> None:
    done(lake)
    schema = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert schema == json_contract.record(CATALOG.tables["ops/runs"]), "generate it again"
    listed = json.loads(lakeshelf("lake", "runs", "--json").out)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    for record in listed:
        jsonschema.Draft202012Validator(schema, format_checker=checker).validate(record)
    assert {(r["dataset"], r["kind"]) for r in listed} == {(A, "read"), (B, "write"), (C, "write")}
    assert "1 of 3 lines of runs; --all shows them" in lakeshelf("lake", "runs", "--limit", 1).out


def test_consumers_are_listed_and_forgotten(lake: Path, lakeshelf: Run) -> None:
    opened = Lake(lake)
    opened.append(A, ROWS)
    opened.append(B, [{"n": 1}], txn=opened.changes(A, Consumer("copy", B)).txns)
    (line,) = json.loads(lakeshelf("lake", "cursors", "--json").out)
    assert (line["consumer"], line["position"], line["latest"]) == ("copy", 1, 1)
    lakeshelf("lake", "forget", "copy", "--dry-run")
    assert "copy" in lakeshelf("lake", "cursors").out
    assert lakeshelf("lake", "forget", "copy").code == 0
    assert json.loads(lakeshelf("lake", "cursors", "--json").out) == []
    assert "no consumer 'copy'" in lakeshelf("lake", "forget", "copy").error
