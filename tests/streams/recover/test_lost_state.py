"""Whatever is lost, old, foreign or cut off while a lake is down: the books balance, or a refusal names the way on.

A cell damages a copy of a prepared lake and goes on by `up`, by `rebuild`, or by what `doctor` says. In the end every
event that was ever sent is counted once, and each refusal on the way named a command that led on.
"""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from pyspark.sql import SparkSession

from lakeshelf.errors import LakeshelfError
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Root
from lakeshelf.stack.observing import doctor_lake
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.resume import checkpoint
from tests.streams.living import RAW, STATE, Living, copied, moved
from tests.support import eventually

pytestmark = pytest.mark.slow
QUERY = "shelf-aggregator"
OLD, NEW, LATER = range(6), range(6, 10), range(10, 13)
FOREIGN = range(100, 105)
WAYS = ("up", "doctor", "rebuild")
HOW = ("missing", "older copy", "of another lake", "truncated")
STACK = "_stack"
BROKER = f"{STACK}/broker/data"
CHECKPOINT, POINTER = f"_checkpoints/{QUERY}/0", f"_checkpoints/{QUERY}/{checkpoint.POINTER}"
PLACES = {
    "checkpoint": CHECKPOINT,
    "pointer": POINTER,
    "ledger": ledger.LEDGER,
    "raw": RAW,
    "state": STATE,
    "broker data": BROKER,
    "stack": STACK,
}


@dataclass(frozen=True)
class Prepared:
    """Lakes that were stopped in order: one, the same one earlier, and another."""

    whole: Path
    older: Path
    another: Callable[[], Path]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession) -> Prepared:
    place = tmp_path_factory.mktemp("prepared")
    lakes = Prepared(place / "whole", place / "older", cache(lambda: another(place, spark)))
    whole = Living(lakes.whole, spark)
    with whole.open():
        whole.up()
        whole.send("shelf_events", [*map(moved, OLD), moved(0), b"no event"])
        whole.up()
    copied(lakes.whole, lakes.older)
    with whole.open():
        whole.send("shelf_events", [*map(moved, NEW), moved(1), b"no event either"])
        whole.up()
    return lakes


def another(place: Path, spark: SparkSession) -> Path:
    """A lake that has nothing to do with the others."""
    foreign = Living(place / "another", spark)
    with foreign.open():
        foreign.up()
        foreign.send("shelf_events", [moved(n, "Z") for n in FOREIGN])
        foreign.up()
    return foreign.root


def damage(lakes: Prepared, root: Path, what: str, how: str) -> None:
    """Do to a copy of the whole lake what the cell says."""
    if what == "topic":
        return
    place = PLACES[what]
    if how == "truncated":
        cut_off(root / place, what)
        return
    source = lakes.another() if how == "of another lake" else lakes.older
    (root / place).unlink() if (root / place).is_file() else shutil.rmtree(root / place)
    if how != "missing":
        copy = shutil.copy2 if (source / place).is_file() else shutil.copytree
        copy(source / place, root / place)
    (root / STACK / "broker" / "ports.json").unlink(missing_ok=True)


def cut_off(place: Path, what: str) -> None:
    """Cut the newest file of a thing in half, or remove what a half-done copy lacks."""
    if what == "stack":
        for child in place.iterdir():
            if child.name != "broker":
                shutil.rmtree(child) if child.is_dir() else child.unlink()
        return
    if what == "broker data":
        segments = [f for f in place.rglob("shelf_events-0/*.log") if f.stat().st_size]
        halve(segments[-1])
        return
    folder = {"checkpoint": place / "offsets", "pointer": place}.get(what, place / storage.LOG)
    files = (
        [folder] if folder.is_file() else [f for f in folder.iterdir() if f.suffix in ("", ".json")]
    )
    halve(max((f for f in files if not f.name.startswith(".")), key=lambda f: f.stem.zfill(30)))


def halve(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def damage_topic(living: Living, how: str) -> None:
    """What can happen to a topic while its broker runs."""
    admin = AdminClient(living.client)
    if how == "truncated":
        cut = TopicPartition("shelf_events", 0, 4)
        eventually(
            lambda: all(f.exception() is None for f in admin.delete_records([cut]).values()),
            "records are cut off",
        )
        return
    living.delete_topic()
    if how == "missing":
        return
    living.remake_topic()
    events = map(moved, OLD) if how == "older copy" else (moved(n, "Z") for n in FOREIGN)
    living.send("shelf_events", events)


def go(living: Living, way: str) -> list[str]:
    """Go on by a command, and by those that refusals name; the refusals."""
    refusals = examined(living) if way == "doctor" else []
    told = len(refusals)
    commands = ["rebuild", "up"] if way == "rebuild" else ["up"]
    while commands:
        command = commands.pop(0)
        try:
            living.up() if command == "up" else living.mend(command)
        except LakeshelfError as error:
            refusals.append(str(error))
            assert len(refusals) < told + 6, refusals
            commands = [named(living, str(error)), "up"]
    return refusals


def examined(living: Living) -> list[str]:
    """What `doctor` finds wrong."""
    try:
        found = list(doctor_lake.checkpoints(living.settings))
    except LakeshelfError as error:
        return [str(error)]
    return [f"{f.message}; {f.fix}" for f in found if not f.ok]


def named(living: Living, refusal: str) -> str:
    """The command that a refusal names; damage that only a person can judge is put aside."""
    words = re.findall(r"`lakeshelf (?:--lake \S+ )?(continue|rebuild|lake \w+)", refusal)
    assert words, refusal
    if words[0].startswith("lake "):
        put_aside(living, refusal)
        return "rebuild"
    return str(words[0])


def put_aside(living: Living, refusal: str) -> None:
    (name,) = {name for name in (RAW, STATE, ledger.LEDGER) if name in refusal}
    storage.remove(Root.at(living.root), name)


CELLS = list(itertools.product([*PLACES, "topic"], HOW, WAYS))
OFTEN = {
    ("ledger", "older copy", "up"),
    ("ledger", "of another lake", "doctor"),
    ("raw", "of another lake", "up"),
    ("broker data", "truncated", "up"),
    ("raw", "missing", "up"),
    ("stack", "missing", "rebuild"),
}


@pytest.mark.parametrize(
    ("what", "how", "way"),
    [
        pytest.param(*cell, id="-".join(cell), marks=() if cell in OFTEN else pytest.mark.nightly)
        for cell in CELLS
    ],
)
def test_the_books_balance_or_a_refusal_names_the_way_on(
    prepared: Prepared, spark: SparkSession, tmp_path: Path, what: str, how: str, way: str
) -> None:
    root = copied(prepared.whole, tmp_path / "lake")
    damage(prepared, root, what, how)
    living = Living(root, spark)
    with living.open():
        if what == "topic":
            damage_topic(living, how)
        found = examined(living)
        refusals = go(living, way)
        living.send("shelf_events", [*map(moved, LATER), moved(10)])
        living.up()
        assert examined(living) == []
        if refusals and way == "up":
            assert found, f"doctor is silent about {refusals}"
        expected = {"A": len([*OLD, *NEW, *LATER])}
        if living.balances().get("Z"):
            assert refusals or way == "rebuild"
            expected["Z"] = len(FOREIGN)
        assert living.balances() == expected, refusals
        assert len(living.ids()) == len(set(living.ids())) == sum(expected.values())
