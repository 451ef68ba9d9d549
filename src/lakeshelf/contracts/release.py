"""Releases of the contract, and what a change does to those who rely on one.

A release is the catalogue as JSON, kept in `releases/<number>.json`. Readers of a topic or table
were written against a release; `check` refuses a catalogue that would break them.

Breaking: a topic, table, field or event type that goes; another type, key, cleanup policy or
partitioning; fewer partitions; a field that becomes required, or may become null; a new required
field of a message; fewer words in an enum; tighter bounds or lengths; a rule that asks for more, of
one value or of several.
Harmless: new topics, tables, optional fields, columns, words and event types; wider bounds; longer
retention; another owner, doc, profile or check. Internal columns belong to their owner: only
another type breaks, since the table could not be evolved.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeshelf.contracts import delta
from lakeshelf.contracts.catalog import Catalog
from lakeshelf.contracts.model import Rule, Table, Topic, nested
from lakeshelf.contracts.types import Field
from lakeshelf.counts import count_of
from lakeshelf.errors import ContractError

Release = dict[str, Any]
"""A catalogue as plain JSON data."""

FOLDER = Path(__file__).parent / "releases"


@dataclass(frozen=True)
class ContractChange:
    """One difference between two releases.

    Attributes:
        where: `topic shelf_events.quantity`, `table ops/alerts` and the like.
        what: What changed, from what to what.
        breaking: Whether readers or producers of the older release break.
    """

    where: str
    what: str
    breaking: bool

    def __str__(self) -> str:
        return f"{'breaking' if self.breaking else 'fine'}: {self.where}: {self.what}"


def snapshot(catalog: Catalog) -> Release:
    """The catalogue as a release."""
    return {
        "topics": {topic.name: _topic(topic) for topic in catalog.topics.values()},
        "tables": {table.name: _table(table) for table in catalog.tables.values()},
    }


def latest(folder: Path = FOLDER) -> int:
    """Number of the newest stored release.

    Raises:
        ContractError: There is none.
    """
    numbers = [int(path.stem) for path in folder.glob("*.json") if path.stem.isdigit()]
    if not numbers:
        raise ContractError(f"no contract release in {folder}", hint="reinstall the package")
    return max(numbers)


def load(number: int, folder: Path = FOLDER) -> Release:
    """A stored release.

    Raises:
        ContractError: There is no such release, or its file is damaged.
    """
    path = folder / f"{number}.json"
    try:
        release: Release = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ContractError(
            f"contract release {path} cannot be read: {error}", hint="restore it from git"
        ) from error
    return release


def store(catalog: Catalog, number: int, folder: Path = FOLDER) -> Path:
    """Write the catalogue as a release; the same catalogue gives the same bytes."""
    path = folder / f"{number}.json"
    text = json.dumps(snapshot(catalog), indent=1, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def check(catalog: Catalog, folder: Path = FOLDER) -> list[ContractChange]:
    """Compare the catalogue with the newest stored release.

    Returns:
        The changes, none of them breaking.

    Raises:
        ContractError: Changes that break readers, each named.
    """
    number = latest(folder)
    changes = compare(load(number, folder), snapshot(catalog))
    broken = [change for change in changes if change.breaking]
    if broken:
        raise ContractError(
            f"{count_of(len(broken), 'breaking change')} since contract release {number}: "
            + "; ".join(f"{change.where}: {change.what}" for change in broken),
            hint="add a field or topic beside the old one instead",
        )
    return changes


def compare(old: Release, new: Release) -> list[ContractChange]:
    """All changes from one release to another, in the order of their names."""
    changes = [
        *_entries("topic", old["topics"], new["topics"]),
        *_entries("table", old["tables"], new["tables"]),
    ]
    return sorted(changes, key=lambda change: (change.where, change.what))


def _entries(kind: str, old: Release, new: Release) -> Iterator[ContractChange]:
    for name in old.keys() - new.keys():
        yield ContractChange(f"{kind} {name}", "removed", True)
    for name in new.keys() - old.keys():
        yield ContractChange(f"{kind} {name}", "added", False)
    for name in old.keys() & new.keys():
        where = f"{kind} {name}"
        yield from _attributes(where, old[name], new[name])
        yield from _fields(where, old[name]["fields"], new[name]["fields"], kind == "topic")
        yield from _rules(where, old[name].get("rules", {}), new[name].get("rules", {}))


def _attributes(where: str, old: Release, new: Release) -> Iterator[ContractChange]:
    for name in ("key", "cleanup", "fixed_key", "key_only", "partition_by"):
        if old.get(name) != new.get(name):
            yield ContractChange(where, _turned(name, old.get(name), new.get(name)), True)
    for name in ("owner", "profile", "topic", "retention_ms", "max_message_bytes", "constraints"):
        if old.get(name) != new.get(name):
            yield ContractChange(where, _turned(name, old.get(name), new.get(name)), False)
    for name in ("equal", "unique", "within"):
        before, after = old.get(name, []), new.get(name, [])
        if before != after:
            asks_for_more = any(pair not in before for pair in after)
            yield ContractChange(where, _turned(name, before, after), asks_for_more)
    if old.get("partitions") != new.get("partitions"):
        fewer = new["partitions"] < old["partitions"]
        yield ContractChange(
            where, _turned("partitions", old["partitions"], new["partitions"]), fewer
        )
    yield from _words(where, "event_types", old.get("event_types", []), new.get("event_types", []))


def _fields(where: str, old: Release, new: Release, message: bool) -> Iterator[ContractChange]:
    for name in old.keys() - new.keys():
        yield ContractChange(f"{where}.{name}", "removed", not old[name].get("internal", False))
    for name in new.keys() - old.keys():
        required = message and new[name]["required"]
        yield ContractChange(
            f"{where}.{name}", "added, required" if required else "added", required
        )
    for name in old.keys() & new.keys():
        yield from _field(f"{where}.{name}", old[name], new[name], message)


def _field(where: str, old: Release, new: Release, message: bool) -> Iterator[ContractChange]:
    if old["type"] != new["type"]:
        yield ContractChange(where, _turned("type", old["type"], new["type"]), True)
    if "fields" in old and "fields" in new:
        yield from _fields(where, old["fields"], new["fields"], message)
    if old["required"] != new["required"]:
        yield ContractChange(where, "made required" if new["required"] else "may now be null", True)
    if old.get("internal") != new.get("internal"):
        yield ContractChange(
            where, _turned("internal", old.get("internal"), new.get("internal")), True
        )
    limits = {"minimum": _raised, **dict.fromkeys(("maximum", "max_length", "max_items"), _lowered)}
    for name, tighter in limits.items():
        before, after = old.get(name), new.get(name)
        if before != after:
            yield ContractChange(where, _turned(name, before, after), tighter(before, after))
    for name in ("unit", "default"):
        if old.get(name) != new.get(name):
            yield ContractChange(where, _turned(name, old.get(name), new.get(name)), name == "unit")
    yield from _words(where, "enum", old.get("enum", []), new.get("enum", []))


def _rules(where: str, old: Release, new: Release) -> Iterator[ContractChange]:
    for event_type in sorted(old.keys() | new.keys()):
        before, after = old.get(event_type, {}), new.get(event_type, {})
        if before == after:
            continue
        what = f"rule of {event_type}: {_json(before)} -> {_json(after)}"
        yield ContractChange(where, what, event_type in old and _asks_for_more(before, after))


def _asks_for_more(old: Release, new: Release) -> bool:
    if set(new.get("required", [])) - set(old.get("required", [])):
        return True
    unbounded: Release = {"minimum": None, "maximum": None, "nonzero": False}
    for field, after in new.get("bounds", {}).items():
        before = old.get("bounds", {}).get(field, unbounded)
        if _raised(before["minimum"], after["minimum"]):
            return True
        if _lowered(before["maximum"], after["maximum"]):
            return True
        if after["nonzero"] and not before["nonzero"]:
            return True
    return False


def _raised(old: float | None, new: float | None) -> bool:
    return new is not None and (old is None or new > old)


def _lowered(old: float | None, new: float | None) -> bool:
    return new is not None and (old is None or new < old)


def _words(where: str, what: str, old: list[str], new: list[str]) -> Iterator[ContractChange]:
    if old == new:
        return
    gone = sorted(set(old) - set(new)) if new else []
    if gone:
        yield ContractChange(where, f"{what} without {', '.join(gone)}", True)
    elif new and not old:
        yield ContractChange(where, f"{what} limited to {', '.join(new)}", True)
    else:
        yield ContractChange(where, _turned(what, old, new), False)


def _turned(name: str, old: Any, new: Any) -> str:
    return f"{name} {_json(old)} -> {_json(new)}"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _topic(topic: Topic) -> Release:
    return {
        "key": list(topic.key),
        "fixed_key": topic.fixed_key,
        "key_only": [field.name for field in topic.key_only],
        "cleanup": topic.cleanup,
        "owner": topic.owner,
        "partitions": topic.partitions,
        "retention_ms": topic.retention_ms,
        "max_message_bytes": topic.max_message_bytes,
        "event_types": list(topic.event_types),
        "rules": {name: _rule(name, topic.rules) for name in topic.event_types},
        "equal": [list(pair) for pair in topic.equal],
        "unique": [list(pair) for pair in topic.unique],
        "within": [list(rule) for rule in topic.within],
        "fields": _field_map(topic.fields, lengths=True),
    }


def _rule(event_type: str, rules: tuple[Rule, ...]) -> Release:
    chosen = [rule for rule in rules if event_type in rule.event_types]
    return {
        "required": sorted({name for rule in chosen for name in rule.required}),
        "bounds": {
            b.field: {"minimum": b.minimum, "maximum": b.maximum, "nonzero": b.nonzero}
            for rule in chosen
            for b in rule.bounds
        },
    }


def _table(table: Table) -> Release:
    return {
        "key": list(table.key),
        "owner": table.owner,
        "partition_by": list(table.partition_by),
        "profile": table.profile,
        "topic": table.topic,
        "constraints": delta.constraints(table),
        "fields": _field_map(table.columns),
    }


def _field_map(fields: tuple[Field, ...], *, lengths: bool = False) -> Release:
    return {field.name: _field_data(field, lengths=lengths) for field in fields}


def _field_data(field: Field, *, lengths: bool) -> Release:
    inner = nested(field)
    data: Release = {
        "type": "array<struct>" if inner else str(field.type),
        "required": field.required,
        "internal": field.internal,
    }
    if inner:
        data["fields"] = _field_map(inner, lengths=lengths)
    if lengths and field.longest is not None:
        data["max_length"] = field.longest
    if lengths and field.most is not None:
        data["max_items"] = field.most
    for name in ("minimum", "maximum", "default"):
        if getattr(field, name) is not None:
            data[name] = getattr(field, name)
    if field.enum:
        data["enum"] = list(field.enum)
    if field.unit:
        data["unit"] = field.unit
    return data
