"""What a new definition may change of the one before it.

docs/design/governance.md#definition-changes
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lakeshelf.contracts.model import Topic
from lakeshelf.governance.domain.binding import bound, plain
from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.errors import refused


@dataclass(frozen=True)
class DefinitionChange:
    """A part of a definition that is another one.

    Attributes:
        part: `column`, `rule`, `policy`, `deletes` or `strictness`.
        name: Of the column or rule; of the others the same as `part`.
        old: What it was, as JSON; None: it was not there.
        new: What it is, as JSON; None: it is no longer there.
    """

    part: str
    name: str
    old: Any
    new: Any


def changes(old: Definition, new: Definition) -> tuple[DefinitionChange, ...]:
    """What is different in a new definition; its version is not."""
    return tuple(_changes(old.as_json(), new.as_json()))


def require_allowed(old: Definition, new: Definition, topic: Topic | None = None) -> None:
    """Refuse a new definition that takes away what rows, readers or the contract rely on.

    Args:
        old: The definition in force.
        new: The one after it.
        topic: The topic of a bound dataset. A column of a field that it gained since comes with its rules; a column
            that has no field there stays with the dataset.

    Raises:
        GovernanceError: `definition_invalid` with each problem in `problems`; `nothing_changed`.
    """
    brought = Brought.by(topic, old)
    if problems := [*_problems(old, new, brought), *_taken_names(old, new, topic, brought)]:
        raise refused(
            "definition_invalid",
            f"the definition cannot change so: {'; '.join(problems)}",
            hint="add columns that may be null, hide or label them, change other rules",
            problems=problems,
        )
    if not changes(old, new):
        raise refused("nothing_changed", "the definition is the same", hint="change a part of it")


@dataclass(frozen=True)
class Brought:
    """What a binding brings for fields that the topic gained since: optional ones, as a contract only gains those.

    Attributes:
        columns: The columns.
        rules: Their rules.
    """

    columns: tuple[Column, ...] = ()
    rules: tuple[RowRule, ...] = ()

    @classmethod
    def by(cls, topic: Topic | None, definition: Definition) -> Brought:
        """What a topic brings to a definition that is bound to it."""
        if topic is None:
            return cls()
        known = {column.name for column in definition.columns}
        whole = bound(topic)
        columns = tuple(c for c in whole.columns if c.name not in known and not c.field.required)
        names = {column.name for column in columns}
        return cls(columns, tuple(rule for rule in whole.rules if names.issuperset(rule.columns)))


def completed(old: Definition, new: Definition, topic: Topic | None) -> Definition:
    """A new definition with the rules that come with the columns that it takes over from its topic."""
    names = {column.name for column in new.columns}
    known = {rule.name for rule in new.rules}
    rules = (r for r in Brought.by(topic, old).rules if names.issuperset(r.columns))
    return replace(new, rules=(*new.rules, *(rule for rule in rules if rule.name not in known)))


def _changes(old: dict[str, Any], new: dict[str, Any]) -> Iterator[DefinitionChange]:
    for part, listed in (("column", "columns"), ("rule", "rules")):
        before, after = ({item["name"]: item for item in side[listed]} for side in (old, new))
        for name in dict.fromkeys([*before, *after]):
            if before.get(name) != after.get(name):
                yield DefinitionChange(part, name, before.get(name), after.get(name))
    for part in ("policy", "deletes", "strictness"):
        if old[part] != new[part]:
            yield DefinitionChange(part, part, old[part], new[part])


def _problems(old: Definition, new: Definition, brought: Brought) -> Iterator[str]:
    if new.version != old.version + 1:
        yield f"version {new.version} does not follow {old.version}"
    if new.key != old.key:
        yield f"the key is {', '.join(old.key)}"
    if new.topic != old.topic:
        yield f"it is bound to {old.topic or 'no topic'}"
    yield from _column_problems(old, new)
    yield from _rule_problems(old, new, brought)


def _column_problems(old: Definition, new: Definition) -> Iterator[str]:
    columns_by_name = {column.name: column for column in new.columns}
    before = [column.name for column in old.columns]
    for column in old.columns:
        if column.name not in columns_by_name:
            yield f"{column.name} is gone, columns are neither dropped nor renamed"
        else:
            yield from _one_column(column, columns_by_name[column.name])
    kept = [column.name for column in new.columns if column.name in before]
    if kept != [name for name in before if name in columns_by_name]:
        yield "columns stand in another order"
    added = [column for column in new.columns if column.name not in before]
    yield from (f"{c.name} is new and cannot be required" for c in added if c.field.required)
    yield from (f"{c.name} is new and cannot be a system column" for c in added if c.system)


def _taken_names(
    old: Definition, new: Definition, topic: Topic | None, brought: Brought
) -> Iterator[str]:
    """New columns that a message would take for a field of its own, and that are not what the binding brings."""
    fields = set() if topic is None else {field.name for field in topic.key_only + topic.fields}
    before = {column.name for column in old.columns}
    same = [plain(column) for column in brought.columns]
    for column in new.columns:
        if column.name in fields and column.name not in before and plain(column) not in same:
            yield f"{column.name} is a field of {old.topic}, which the binding alone brings"


def _one_column(old: Column, new: Column) -> Iterator[str]:
    if new.field.type != old.field.type:
        yield f"{old.name} is {old.field.type} and cannot become {new.field.type}"
    elif replace(new.field, doc=old.field.doc) != old.field:
        yield f"{old.name} has other properties: only label, help and hidden change, rules say the rest"
    if new.system != old.system:
        yield f"{old.name} {'is' if old.system else 'is not'} a system column"


def _rule_problems(old: Definition, new: Definition, brought: Brought) -> Iterator[str]:
    names = {column.name for column in new.columns}
    coming = [rule for rule in brought.rules if names.issuperset(rule.columns)]
    yield from (
        f"rule {rule.name} comes with its column" for rule in coming if rule not in new.rules
    )
    fixed = {rule.name: rule for rule in old.rules if rule.fixed}
    rules_by_name = {rule.name: rule for rule in new.rules}
    for name, rule in fixed.items():
        if rules_by_name.get(name) != rule:
            yield f"rule {name} comes with the topic and stays as it is"
    for rule in new.rules:
        if rule.fixed and rule.name not in fixed and rule not in coming:
            yield f"rule {rule.name} does not come with the topic"
