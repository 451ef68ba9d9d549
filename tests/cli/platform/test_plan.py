"""`plan` says what `bootstrap` would do, and does nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from deltalake import write_deltalake

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.checkpoint import POINTER

QUERY = "shelf-aggregator"


def planned(lakeshelf) -> tuple[int, dict]:
    result = lakeshelf("plan", "--json")
    return result.code, json.loads(result.out)


def test_everything_is_to_be_made_where_nothing_is_and_nothing_is_made(lakeshelf, lake):
    code, told = planned(lakeshelf)
    assert code == 0
    assert {one["table"] for one in told["tables"]} == set(CATALOG.tables)
    assert {one["action"] for one in told["tables"]} == {"create"}
    assert told["topics"] is None
    assert "no broker runs" in told["topics_unknown"]
    assert not lake.exists()
    shown = lakeshelf("plan").out
    assert f"{len(CATALOG.tables)} to create" in shown
    assert "unknown: no broker runs" in shown


@pytest.mark.slow
def test_what_is_there_is_kept_and_what_lacks_a_column_is_changed(lakeshelf, lake):
    tables.ensure_all(lake)
    assert {one["action"] for one in planned(lakeshelf)[1]["tables"]} == {"keep"}
    name = "cleansed/shelf_state"
    place = tables.location(lake, name)
    schema = tables.of_contract(CATALOG.tables[name]).schema
    fewer = schema.remove(schema.get_field_index("balance")).empty_table()
    _replace(place, fewer)
    code, told = planned(lakeshelf)
    (changed,) = (one for one in told["tables"] if one["action"] != "keep")
    assert (code, changed["table"], changed["action"]) == (0, name, "change")
    assert "balance" in changed["added"]
    assert tables.ensure(lake, CATALOG.tables[name]).added == tuple(changed["added"])


def test_a_column_of_another_type_is_refused(lakeshelf, lake):
    place = tables.location(lake, "cleansed/shelf_state")
    schema = tables.of_contract(CATALOG.tables["cleansed/shelf_state"]).schema
    other = schema.set(
        schema.get_field_index("balance"), schema.field("shelf_id").with_name("balance")
    )
    _replace(place, other.empty_table())
    code, told = planned(lakeshelf)
    assert code == 1
    (refused,) = (one for one in told["tables"] if one["action"] == "refuse")
    assert "balance" in refused["problem"]


@pytest.mark.parametrize(
    ("query", "topics", "named"),
    [
        (QUERY, ["shelf_events", "long_gone"], "no longer reads long_gone"),
        ("job-of-yesterday", ["shelf_events"], "no job makes any more"),
    ],
)
def test_a_checkpoint_that_would_not_survive_is_named(lakeshelf, lake, query, topics, named):
    begun = checkpoint.begin(lake / "_checkpoints", query, {topic: {"0": 0} for topic in topics})
    code, told = planned(lakeshelf)
    assert code == 1
    (broken,) = told["breaks"]
    assert broken["query"] == query
    assert named in broken["problem"]
    assert "`lakeshelf rebuild`" in broken["problem"]
    assert not begun.path.exists()


def test_a_damaged_pointer_is_named_and_left(lakeshelf, lake):
    pointer = lake / "_checkpoints" / QUERY / POINTER
    pointer.parent.mkdir(parents=True)
    pointer.write_text("{")
    code, told = planned(lakeshelf)
    assert code == 1
    assert str(pointer) in told["breaks"][0]["problem"]
    assert pointer.read_text() == "{"


def _replace(place: Path, rows: object) -> None:
    shutil.rmtree(place, ignore_errors=True)
    write_deltalake(str(place), rows)
