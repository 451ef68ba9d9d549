"""From the rules of a definition to a suite of Great Expectations: one expectation for a rule and a column.

docs/design/governance.md#validation
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lakeshelf.governance.domain.definition import Column, Definition, RowRule
from lakeshelf.governance.validation.kinds import KINDS, Kind


@dataclass(frozen=True)
class ColumnCheck:
    """A rule on one of its columns, or on all of them where they are judged together.

    Attributes:
        rule: The rule.
        columns: Columns that are judged.
    """

    rule: RowRule
    columns: tuple[Column, ...]

    @property
    def kind(self) -> Kind:
        """What holds for rules of its kind."""
        return KINDS[self.rule.kind]

    @property
    def message(self) -> str:
        """The sentence that does not hold for a row that violates it."""
        return self.kind.message(self.columns, self.rule.params)


def checks(definition: Definition, columns: Collection[str] | None = None) -> list[ColumnCheck]:
    """What is judged.

    Args:
        definition: The definition.
        columns: Only rules about one of these columns; None: all rules.
    """
    chosen = [
        rule
        for rule in definition.rules
        if columns is None or not set(columns).isdisjoint(rule.columns)
    ]
    return [check for rule in chosen for check in _of_rule(definition, rule)]


def _of_rule(definition: Definition, rule: RowRule) -> Iterator[ColumnCheck]:
    columns = tuple(definition[name] for name in rule.columns)
    if KINDS[rule.kind].joint:
        yield ColumnCheck(rule, columns)
        return
    for column in columns:
        yield ColumnCheck(rule, (column,))


def expectation(check: ColumnCheck, measure: str) -> Mapping[str, Any]:
    """The configuration of an expectation.

    Args:
        check: What is judged.
        measure: Column of the frame that holds its measure.
    """
    name, expected = check.kind.expectation(check.rule.params)
    return {
        "type": name,
        "kwargs": {"column": measure, **expected},
        "meta": {"rule": check.rule.name, "severity": check.rule.severity},
    }
