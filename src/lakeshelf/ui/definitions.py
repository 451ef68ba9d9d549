"""Fields by which people propose the next version of a definition, and the definition that these ask for.

A field is named by its place in the JSON of the definition, such as `columns.3.label`; what is wrong there is told by
the same name. The last columns and the last rules are new ones, which count once something is typed there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
LISTS = ("columns", "rules")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?")
NUMERIC = ("bigint", "double")
"""Types whose values are numbers in JSON; those of others are texts."""
NEW_COLUMN: Json = {"name": "", "type": "string", "label": "", "doc": "", "unit": ""}
NEW_RULE: Json = {"name": "", "kind": "between", "columns": [], "severity": "error"}
NEW_AT_ONCE = 4
"""Columns, and rules, that are added at once."""
PARTS: Mapping[str, str] = {
    "name": "Name",
    "type": "Type",
    "label": "What people call it",
    "doc": "What it means, a sentence",
    "unit": "Unit",
    "hidden": "Hidden",
    "kind": "What has to hold",
    "columns": "Columns, apart by commas",
    "severity": "What breaks it",
    "minimum": "At least",
    "maximum": "At most",
    "values": "Allowed values, one a line",
    "pattern": "Pattern",
    "operator": "First column against the second",
    "dataset": "Dataset with the values",
    "column": "Its column",
    "approvals": "Approvals that a change needs",
    "required_checks": "Checks that have to pass, apart by commas",
    "restore_by_owner": "An owner may restore at once",
    "deletes": "Rows may be deleted",
    "strictness": "A conflict is",
}
"""Part of a definition → what people call it."""
WORDS: Mapping[str, str] = {
    "true": "yes",
    "false": "no",
    "between": "a number, day or time is in a range",
    "compare": "a column stands so to another",
    "in_set": "it is one of some values",
    "length": "a text is so long",
    "not_null": "there is a value",
    "references": "it is a value of another dataset",
    "regex": "a text is of a pattern",
    "unique": "no value is there twice",
    "info": "is told",
    "warning": "is asked whether it is right",
    "error": "is refused",
    "fatal": "is refused, whatever was before",
    "cell": "the same cell",
    "row": "the same row",
    "any_change": "any change since",
}
"""Choice → what people call it."""


@dataclass(frozen=True)
class DefinitionField:
    """A field of the form.

    Attributes:
        place: In the JSON of the definition.
        label: What people call it.
        text: What it holds.
        choices: Value → words, of a field that has no others.
        known: Values to choose from, of a field that may have others.
        lines: Whether it holds a value a line.
    """

    place: str
    label: str
    text: str
    choices: Mapping[str, str] = field(default_factory=dict)
    known: Sequence[str] = ()
    lines: bool = False


@dataclass(frozen=True)
class DefinitionPart:
    """Fields that belong together.

    Attributes:
        place: In the JSON of the definition.
        title: What it is.
        note: What else there is to know; empty: nothing.
        fields: Its fields.
        can_go: Whether it may be taken away.
        is_more: Whether it is one more new part, which few need.
    """

    place: str
    title: str
    fields: tuple[DefinitionField, ...]
    note: str = ""
    can_go: bool = False
    is_more: bool = False


@dataclass(frozen=True)
class DefinitionProposal:
    """The definition that was asked for.

    Attributes:
        definition: It, as JSON.
        numbers: List of its parts → number on the form, of each part that is in it.
    """

    definition: Any
    numbers: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def on_form(self, place: str) -> str:
        """The place on the form of a place in the definition."""
        name, _, rest = place.partition(".")
        number, dot, within = rest.partition(".")
        numbers = dict(enumerate(self.numbers.get(name, ())))
        if not number.isdecimal() or int(number) not in numbers:
            return place
        return f"{name}.{numbers[int(number)]}{dot}{within}"


def begun(definition: Json, choices: Mapping[str, Any]) -> Json:
    """The next version as it is before anybody typed: with columns and rules that have no name yet.

    Args:
        definition: The one in force.
        choices: What its parts may be, as the API tells it.
    """
    made = deepcopy(definition)
    made["version"] += 1
    every = {name: None for params in choices["kind"].values() for name in params}
    for rule in made["rules"]:
        rule["params"] = {name: rule["params"].get(name) for name in choices["kind"][rule["kind"]]}
    groups = {one["name"]: "" for one in made["columns"] if not one["system"]}
    made["policy"]["groups"] = groups | made["policy"]["groups"]
    made["columns"] += [dict(NEW_COLUMN) for _ in range(NEW_AT_ONCE)]
    made["rules"] += [{**NEW_RULE, "params": dict(every)} for _ in range(NEW_AT_ONCE)]
    return made


def parts(
    made: Json, choices: Mapping[str, Any], groups: Sequence[str]
) -> dict[str, list[DefinitionPart]]:
    """Title → what may change there.

    Args:
        made: What `begun` made.
        choices: What its parts may be, as the API tells it.
        groups: Groups of the project.
    """
    strictness = _field("strictness", made["strictness"], choices["strictness"])
    return {
        "Columns": list(_columns(made, choices)),
        "Rules": list(_rules(made, choices)),
        "Who agrees": list(_policy(made, groups)),
        "Rows": [DefinitionPart("", "All rows", (_field("deletes", made["deletes"]), strictness))],
    }


def _columns(made: Json, choices: Mapping[str, Any]) -> Iterator[DefinitionPart]:
    first = _first_new(made["columns"])
    for number, column in enumerate(made["columns"]):
        place, is_new = f"columns.{number}", number >= first
        names = tuple(NEW_COLUMN) if is_new else ("label", "doc", "hidden")
        fields = tuple(
            _field(f"{place}.{name}", column[name], known=choices["type"] if name == "type" else ())
            for name in names
        )
        note = "such as decimal(12,2)" if is_new else " ".join((column["type"], column["unit"]))
        title = column["name"] or f"New column {number - first + 1}"
        yield DefinitionPart(place, title, fields, note.strip(), is_more=number > first)


def _rules(made: Json, choices: Mapping[str, Any]) -> Iterator[DefinitionPart]:
    first = _first_new(made["rules"])
    for number, rule in enumerate(made["rules"]):
        if rule.get("fixed"):
            continue
        place, is_new = f"rules.{number}", number >= first
        names = ("name", "kind", "columns", "severity") if is_new else ("severity",)
        fields = [_field(f"{place}.{name}", rule[name], choices.get(name, ())) for name in names]
        fields += [
            _field(f"{place}.params.{name}", value, _operators(name, choices))
            for name, value in rule["params"].items()
        ]
        note = "" if is_new else f"{WORDS[rule['kind']]}: {', '.join(rule['columns'])}"
        title = rule["name"] or f"New rule {number - first + 1}"
        yield DefinitionPart(place, title, tuple(fields), note, not is_new, number > first)


def _first_new(parts: Sequence[Json]) -> int:
    return sum(bool(one["name"]) for one in parts)


def _operators(name: str, choices: Mapping[str, Any]) -> Sequence[str]:
    return ["", *choices[name]] if name == "operator" else ()


def _policy(made: Json, groups: Sequence[str]) -> Iterator[DefinitionPart]:
    policy = made["policy"]
    names = ("approvals", "required_checks", "restore_by_owner")
    fields = tuple(_field(f"policy.{name}", policy[name]) for name in names)
    yield DefinitionPart("policy", "Every change", fields)
    yield DefinitionPart(
        "policy.groups",
        "Changes of a column",
        tuple(
            DefinitionField(f"policy.groups.{name}", name, group, known=groups)
            for name, group in policy["groups"].items()
        ),
        "one of this group has to approve; empty: anybody who may",
    )


def _field(
    place: str, value: Any, choices: Sequence[str] = (), known: Sequence[str] = ()
) -> DefinitionField:
    name = place.rpartition(".")[2]
    listed = ("true", "false") if isinstance(value, bool) else choices
    words = {one: WORDS.get(one, one) for one in listed}
    return DefinitionField(
        place, PARTS[name], _written(name, value), words, known, name == "values"
    )


def _written(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ("\n" if name == "values" else ", ").join(map(str, value))
    return "" if value is None else str(value)


def proposed(made: Json, typed: Mapping[str, str]) -> DefinitionProposal:
    """The definition that was asked for.

    Args:
        made: What `begun` made, as the page sent it along.
        typed: Place → what was typed there, and `gone` below the place of what is to be taken away.

    Raises:
        ValueError: There is no such place.
    """
    made = deepcopy(made)
    gone = {place.rpartition(".")[0] for place in typed if place.endswith(".gone")}
    texts = {place: text for place, text in typed.items() if not place.endswith(".gone")}
    try:
        changed = {place for place, text in texts.items() if _is_put(made, place, text)}
        numbers = {name: _counted(name, made[name], changed, gone) for name in LISTS}
        columns = [made["columns"][number] for number in numbers["columns"]]
        types = {one["name"]: one["type"] for one in columns}
        rules = [
            _completed(made["rules"][number], types, _within(changed, f"rules.{number}."))
            for number in numbers["rules"]
        ]
        made |= {"columns": [one | _not_required(one) for one in columns], "rules": rules}
        groups = made["policy"]["groups"].items()
        made["policy"]["groups"] = {name: group for name, group in groups if group}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"the form does not fit the definition: {error}"[:200]) from error
    return DefinitionProposal(made, numbers)


def _counted(
    name: str, parts: Sequence[Json], changed: Collection[str], gone: Collection[str]
) -> list[int]:
    """Numbers of parts that are proposed: a new one counts once something is typed there."""
    return [
        number
        for number, one in enumerate(parts)
        if f"{name}.{number}" not in gone and (one["name"] or _within(changed, f"{name}.{number}."))
    ]


def _within(places: Collection[str], begin: str) -> set[str]:
    return {place for place in places if place.startswith(begin)}


def _not_required(column: Json) -> Json:
    return {} if "required" in column else {"required": False}


def _is_put(made: Any, place: str, typed: str) -> bool:
    """Put what was typed at its place; whether it differs from what was there."""
    text = typed.replace("\r\n", "\n").strip()
    *parents, name = place.split(".")
    for part in parents:
        made = made[int(part)] if isinstance(made, list) else made[part]
    before = made[name]
    if text == _written(name, before):
        return False
    made[name] = _value(name, before, text)
    return True


def _value(name: str, before: Any, text: str) -> Any:
    if isinstance(before, bool):
        return text == "true"
    if name == "values":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if isinstance(before, list):
        return text.replace(",", " ").split()
    return int(text) if isinstance(before, int) and _is_whole(text) else text


def _is_whole(text: str) -> bool:
    return NUMBER.fullmatch(text) is not None and "." not in text


def _completed(rule: Json, types: Mapping[str, str], changed: Collection[str]) -> Json:
    """A rule with what it is told alone; what was typed is a number where its column holds numbers."""
    column = next(iter(rule["columns"]), "")
    is_number = rule["kind"] == "length" or types.get(column) in NUMERIC
    names = {place.rpartition(".")[2] for place in changed} if is_number else set()
    params = {
        name: _numbers(value) if name in names else value
        for name, value in rule["params"].items()
        if value not in (None, "", [])
    }
    return {**rule, "params": params}


def _numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_numbers(one) for one in value]
    is_text = isinstance(value, str) and NUMBER.fullmatch(value)
    return json.loads(value) if is_text else value
