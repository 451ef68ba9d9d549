"""Changes of the contract: what breaks readers is refused, what does not is let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.contracts import (
    CATALOG,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Bounds,
    Catalog,
    Field,
    ListOf,
    Rule,
    Struct,
    Table,
    Topic,
    release,
)
from lakeshelf.errors import ContractError

ID = Field("id", STRING, "An id.")
KIND = Field("event_type", STRING, "A kind.")
SIZE = Field("size", LONG, "A size.", minimum=0, maximum=9, unit="units")
COLOUR = Field("colour", STRING, "A colour.", required=False, enum=("red", "green"))
PART = Field("part", LONG, "A part.")
LINES = Field("lines", ListOf(Struct((PART,))), "Lines.")
RULE = Rule(("a",), required=("size",), bounds=(Bounds("size", 1, 5),))

TOPIC = Topic(
    name="things",
    key=("id",),
    cleanup="delete",
    owner="someone",
    fields=(ID, KIND, SIZE, COLOUR, LINES),
    doc="Things.",
    partitions=2,
    retention_ms=1000,
    event_types=("a", "b"),
    rules=(RULE,),
)
HIDDEN = Field("hidden", STRING, "Hidden.", internal=True)
TABLE = Table(
    name="cleansed/things",
    key=("id",),
    owner="someone",
    columns=(ID, SIZE, COLOUR, HIDDEN),
    doc="Things.",
)


def fields(*changed: Field, drop: str = "") -> Topic:
    names = {field.name: field for field in changed}
    kept = tuple(names.pop(f.name, f) for f in TOPIC.fields if f.name != drop)
    return replace(TOPIC, fields=(*kept, *names.values()))


def columns(*changed: Field, drop: str = "") -> Table:
    names = {column.name: column for column in changed}
    kept = tuple(names.pop(c.name, c) for c in TABLE.columns if c.name != drop)
    added = tuple(names.values())
    return replace(TABLE, columns=(*kept[:-1], *added, kept[-1]) if added else kept)


def changes(topic: Topic | None, table: Table | None) -> list[release.ContractChange]:
    old = Catalog.of([TOPIC], [TABLE])
    new = Catalog.of([topic] if topic else [], [table] if table else [])
    return release.compare(release.snapshot(old), release.snapshot(new))


def rule(**changed: object) -> Topic:
    return replace(TOPIC, rules=(replace(RULE, **changed),))  # type: ignore[arg-type]


BREAKING: dict[str, Callable[[], tuple[Topic | None, Table | None]]] = {
    "topic things: removed": lambda: (None, TABLE),
    "table cleansed/things: removed": lambda: (TOPIC, None),
    "topic things.colour: removed": lambda: (fields(drop="colour"), TABLE),
    "topic things.size: type": lambda: (fields(replace(SIZE, type=DOUBLE)), TABLE),
    "topic things.colour: made required": lambda: (fields(replace(COLOUR, required=True)), TABLE),
    "topic things.size: may now be null": lambda: (fields(replace(SIZE, required=False)), TABLE),
    "topic things.new: added, required": lambda: (fields(Field("new", LONG, "New.")), TABLE),
    "topic things.colour: enum without green": lambda: (
        fields(replace(COLOUR, enum=("red",))),
        TABLE,
    ),
    "topic things.id: enum limited to x": lambda: (fields(replace(ID, enum=("x",))), TABLE),
    "topic things.size: minimum 0 -> 1": lambda: (fields(replace(SIZE, minimum=1)), TABLE),
    "topic things.size: maximum 9 -> 8": lambda: (fields(replace(SIZE, maximum=8)), TABLE),
    "topic things.size: unit": lambda: (fields(replace(SIZE, unit="g")), TABLE),
    "topic things.lines.part: removed": lambda: (
        fields(replace(LINES, type=ListOf(Struct((replace(PART, name="piece"),))))),
        TABLE,
    ),
    "topic things.lines.part: type": lambda: (
        fields(replace(LINES, type=ListOf(Struct((replace(PART, type=STRING),))))),
        TABLE,
    ),
    "topic things: key": lambda: (replace(TOPIC, key=("id", "size")), TABLE),
    "topic things: partitions 2 -> 1": lambda: (replace(TOPIC, partitions=1), TABLE),
    "topic things: cleanup": lambda: (
        replace(TOPIC, cleanup="compact", retention_ms=None),
        TABLE,
    ),
    "topic things: event_types without b": lambda: (replace(TOPIC, event_types=("a",)), TABLE),
    "topic things: rule of a": lambda: (rule(required=("size", "colour")), TABLE),
    "topic things: rule of a: {": lambda: (rule(bounds=(Bounds("size", 2, 5),)), TABLE),
    "topic things: rule of a: {\"": lambda: (
        rule(bounds=(Bounds("size", 1, 5, nonzero=True),)),
        TABLE,
    ),
    "topic things: equal [] -> [[": lambda: (replace(TOPIC, equal=(("id", "colour"),)), TABLE),
    "topic things: unique [] -> [[": lambda: (replace(TOPIC, unique=(("lines", "part"),)), TABLE),
    "topic things: within [] -> [[": lambda: (
        replace(
            fields(Field("until", TIMESTAMP, "A time."), Field("day", DATE, "A day.")),
            within=(("until", "day", 8),),
        ),
        TABLE,
    ),
    "table cleansed/things: key": lambda: (TOPIC, replace(TABLE, key=("size",))),
    "table cleansed/things: partition_by": lambda: (
        TOPIC,
        replace(TABLE, partition_by=("colour",)),
    ),
    "table cleansed/things.size: type": lambda: (TOPIC, columns(replace(SIZE, type=DOUBLE))),
    "topic things.id: max_length": lambda: (fields(replace(ID, max_length=9)), TABLE),
    "table cleansed/things.colour: removed": lambda: (TOPIC, columns(drop="colour")),
    "table cleansed/things.hidden: type": lambda: (
        TOPIC,
        replace(TABLE, columns=(ID, SIZE, COLOUR, replace(HIDDEN, type=LONG))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("named", BREAKING)
def test_a_change_that_breaks_readers_is_named(named: str) -> None:
    broken = [str(change) for change in changes(*BREAKING[named]()) if change.breaking]
    assert any(line.startswith(f"breaking: {named}") for line in broken), broken


HARMLESS: dict[str, Callable[[], tuple[Topic | None, Table | None]]] = {
    "an optional field": lambda: (
        fields(Field("new", LONG, "New.", required=False)),
        columns(Field("new", LONG, "New.")),
    ),
    "a word more": lambda: (fields(replace(COLOUR, enum=("red", "green", "blue"))), TABLE),
    "no list of words any more": lambda: (fields(replace(COLOUR, enum=())), TABLE),
    "wider bounds": lambda: (fields(replace(SIZE, minimum=None, maximum=10)), TABLE),
    "a longer text": lambda: (fields(replace(ID, max_length=2000)), TABLE),
    "another default": lambda: (fields(replace(SIZE, default=1)), TABLE),
    "an event type more": lambda: (replace(TOPIC, event_types=("a", "b", "c")), TABLE),
    "a looser rule": lambda: (rule(bounds=(Bounds("size", 0, 6),)), TABLE),
    "no rule": lambda: (replace(TOPIC, rules=()), TABLE),
    "more partitions": lambda: (replace(TOPIC, partitions=3), TABLE),
    "longer retention": lambda: (replace(TOPIC, retention_ms=2000), TABLE),
    "another owner": lambda: (replace(TOPIC, owner="else"), replace(TABLE, owner="else")),
    "another profile": lambda: (TOPIC, replace(TABLE, profile="shared")),
    "an internal column less": lambda: (TOPIC, columns(drop="hidden")),
}


@pytest.mark.parametrize("named", HARMLESS)
def test_a_harmless_change_is_told_and_let_through(named: str) -> None:
    found = changes(*HARMLESS[named]())
    assert found
    assert not [change for change in found if change.breaking]


def test_a_list_that_may_hold_less_breaks_who_sends_it() -> None:
    old, new = (release.snapshot(Catalog.of([TOPIC], [TABLE])) for _ in range(2))
    new["topics"]["things"]["fields"]["lines"]["max_items"] -= 1
    (change,) = release.compare(old, new)
    assert str(change) == "breaking: topic things.lines: max_items 500 -> 499"


def test_other_docs_are_no_change() -> None:
    other = replace(TOPIC, doc="Other things.")
    assert (
        changes(other, replace(TABLE, columns=(replace(ID, doc="Id."), *TABLE.columns[1:]))) == []
    )


def test_the_catalogue_keeps_the_stored_release() -> None:
    assert not [change for change in release.check(CATALOG) if change.breaking]


def test_check_refuses_and_names_each_breaking_change(tmp_path: Path) -> None:
    release.store(Catalog.of([TOPIC], [TABLE]), 1, tmp_path)
    release.store(Catalog.of([TOPIC], [TABLE]), 2, tmp_path)
    broken = Catalog.of([replace(fields(drop="colour"), partitions=1)], [TABLE])
    with pytest.raises(ContractError) as error:
        release.check(broken, tmp_path)
    assert "2 breaking changes since contract release 2" in str(error.value)
    assert "topic things.colour: removed" in str(error.value)
    assert "topic things: partitions 2 -> 1" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_damaged_release_is_said(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no contract release"):
        release.check(CATALOG, tmp_path)
    (tmp_path / "1.json").write_text("{")
    with pytest.raises(ContractError, match="cannot be read"):
        release.check(CATALOG, tmp_path)
