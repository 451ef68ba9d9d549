"""Checkpoints: generations, offsets of batches, and what damage looks like (F13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakeshelf.errors import StreamError
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.resume.checkpoint import POINTER, Checkpoint

QUERY = "shelf-aggregator"


def written(found: Checkpoint, batches: int, query_id: str = "an-id") -> Checkpoint:
    """The files that Spark writes for some batches, all of them done."""
    for folder in ("offsets", "commits"):
        (found.path / folder).mkdir(parents=True)
    (found.path / "metadata").write_text(json.dumps({"id": query_id}))
    for number in range(batches):
        ends = {"shelf_events": {"0": 10 * number + 5, "1": number}}
        lines = ("v1", json.dumps({"batchWatermarkMs": 0}), json.dumps(ends))
        (found.path / "offsets" / str(number)).write_text("\n".join(lines))
        (found.path / "commits" / str(number)).write_text('v1\n{"nextBatchWatermarkMs":0}')
    return found


def test_a_query_that_never_ran_begins_with_generation_0(tmp_path: Path) -> None:
    first = checkpoint.current(tmp_path, QUERY)
    assert first == Checkpoint(tmp_path / QUERY / "0", {}, QUERY)
    assert checkpoint.current(tmp_path, QUERY) == first


def test_a_new_generation_never_uses_an_old_folder(tmp_path: Path) -> None:
    written(checkpoint.current(tmp_path, QUERY), 1)
    written(Checkpoint(tmp_path / QUERY / "7", {}), 1)
    begun = checkpoint.begin(tmp_path, QUERY, {"shelf_events": {"0": 4}})
    assert begun.path.name == "8"
    assert not begun.path.exists()
    assert checkpoint.current(tmp_path, QUERY) == begun
    assert (tmp_path / QUERY / "0" / "offsets" / "0").exists(), "the old one stays as it is"


def test_offsets_of_the_first_batch_start_where_the_generation_began(tmp_path: Path) -> None:
    begun = written(checkpoint.begin(tmp_path, QUERY, {"shelf_events": {"0": 2}}), 2)
    assert begun.offsets(0) == {"shelf_events": {"0": (2, 5), "1": (0, 0)}}
    assert begun.offsets(1) == {"shelf_events": {"0": (5, 15), "1": (0, 1)}}
    assert begun.until(1) == {"shelf_events": {"0": 15, "1": 1}}
    assert begun.until(9) == {}
    assert begun.last_committed() == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"generation": 1}'])
def test_a_damaged_pointer_is_told_with_the_way_out(tmp_path: Path, content: str) -> None:
    checkpoint.current(tmp_path, QUERY)
    (tmp_path / QUERY / POINTER).write_text(content)
    with pytest.raises(StreamError, match=r"current\.json is damaged.*lakeshelf continue"):
        checkpoint.current(tmp_path, QUERY)


@pytest.mark.parametrize("content", [None, "", "{}", "5"])
def test_a_checkpoint_without_an_id_is_told_with_the_way_out(
    tmp_path: Path, content: str | None
) -> None:
    found = written(checkpoint.current(tmp_path, QUERY), 1)
    assert found.query_id() == "an-id"
    file = found.path / "metadata"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(StreamError, match="no readable metadata"):
        found.query_id()


Damage = Callable[[Path], object]
DAMAGES: dict[str, tuple[Damage, str]] = {
    "an offset file in the middle": (lambda p: (p / "offsets/1").unlink(), "offsets/1 is missing"),
    "the last offset file": (lambda p: (p / "offsets/3").unlink(), "last offsets are of batch 2"),
    "a truncated offset file": (
        lambda p: (p / "offsets/3").write_text("v1\n{"),
        "offsets/3 is truncated",
    ),
    "an empty offset file": (lambda p: (p / "offsets/3").write_text(""), "offsets/3 is truncated"),
    "all offsets": (lambda p: [f.unlink() for f in (p / "offsets").iterdir()], "is empty"),
    "a commit in the middle": (lambda p: (p / "commits/1").unlink(), "commits/1 is missing"),
    "the last two commits": (
        lambda p: [(p / f"commits/{i}").unlink() for i in (2, 3)],
        "last commit of batch 1",
    ),
    "metadata": (lambda p: (p / "metadata").unlink(), "metadata is missing"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGES.values(), ids=DAMAGES.keys())
def test_damage_is_named(tmp_path: Path, damage: Damage, told: str) -> None:
    found = written(checkpoint.current(tmp_path, QUERY), 4)
    assert checkpoint.problems(found) == []
    damage(found.path)
    assert any(told in problem for problem in checkpoint.problems(found))


def test_a_batch_that_was_cut_off_is_no_damage(tmp_path: Path) -> None:
    found = written(checkpoint.current(tmp_path, QUERY), 4)
    (found.path / "commits" / "3").unlink()
    assert checkpoint.problems(found) == []


def test_a_checkpoint_that_spark_has_cleaned_up_is_no_damage(tmp_path: Path) -> None:
    found = written(checkpoint.current(tmp_path, QUERY), 6)
    for number in (0, 1):
        (found.path / "offsets" / str(number)).unlink()
        (found.path / "commits" / str(number)).unlink()
    assert checkpoint.problems(found) == []


def test_a_query_that_never_ran_has_no_problems(tmp_path: Path) -> None:
    assert checkpoint.problems(checkpoint.current(tmp_path, QUERY)) == []
