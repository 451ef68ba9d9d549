"""Rules that cannot be: refused when a definition is saved, all at once.

docs/design/governance.md#validation
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from lakeshelf.contracts.types import STRING
from lakeshelf.governance.domain.definition import ROW_ID, Column, Definition, RowRule, Severity
from lakeshelf.governance.domain.requests.approvals import unknown_checks
from lakeshelf.governance.errors import refused
from lakeshelf.governance.validation.kinds import KINDS, Elsewhere

LONGEST_NAME = 63
"""Characters of the name of a column or rule."""


def checked(definition: Definition, elsewhere: Elsewhere) -> Definition:
    """The definition, if each of its rules can be judged.

    Args:
        definition: The definition.
        elsewhere: The column of a dataset of the project, by both names; None: there is none.

    Raises:
        GovernanceError: `definition_invalid`, with every problem of every rule; `fields`: what is wrong by its place,
            such as `rules.3`.
    """
    columns = {column.name: column for column in definition.columns}
    faults = {
        f"rules.{place}": [*rule_problems(rule, columns, elsewhere), *_long_rule(rule)]
        for place, rule in enumerate(definition.rules)
    }
    faults["policy.required_checks"] = list(unknown_checks(definition.policy))
    faults |= {
        f"columns.{place}": list(_name_problems(definition, column))
        for place, column in enumerate(definition.columns)
    }
    if problems := [text for texts in faults.values() for text in texts]:
        raise refused(
            "definition_invalid",
            f"the definition cannot be judged by: {'; '.join(problems)}"[:2000],
            hint="correct them",
            problems=problems,
            fields={place: "; ".join(texts) for place, texts in faults.items() if texts},
        )
    return definition


def _name_problems(definition: Definition, column: Column) -> Iterator[str]:
    """Why nobody could ask for a column by its name."""
    if len(column.name) > LONGEST_NAME:
        yield f"column {column.name[:LONGEST_NAME]}…: a name has {LONGEST_NAME} characters at most"
    if column.name == ROW_ID and (not definition.made_keys or column.field.type != STRING):
        yield f"{ROW_ID} is the name of the key that the server makes, a string alone"


def _long_rule(rule: RowRule) -> Iterator[str]:
    """Why nobody could ask for a rule by its name."""
    if not 1 <= len(rule.name) <= LONGEST_NAME:
        yield f"rule {rule.name[:LONGEST_NAME]!r}: a name has 1 to {LONGEST_NAME} characters"


def rule_problems(
    rule: RowRule, columns: Mapping[str, Column], elsewhere: Elsewhere
) -> Iterator[str]:
    """Why a rule cannot be judged; nothing where it can.

    Args:
        rule: The rule, as it was given.
        columns: Columns that there are, by name.
        elsewhere: The column of a dataset of the project, by both names; None: there is none.
    """
    yield from (f"rule {rule.name}: {problem}" for problem in _problems(rule, columns, elsewhere))


def _problems(rule: RowRule, columns: Mapping[str, Column], elsewhere: Elsewhere) -> Iterator[str]:
    if rule.severity not in get_args(Severity):
        yield f"no severity {rule.severity!r}; there are {', '.join(get_args(Severity))}"
    if not rule.columns or len(set(rule.columns)) != len(rule.columns):
        yield "it is about no column, or about one twice"
    unknown = [name for name in rule.columns if name not in columns]
    yield from (f"there is no column {name!r}" for name in unknown)
    known = [columns[name] for name in rule.columns if name in columns]
    yield from (f"{column.name} is written by the merge" for column in known if column.system)
    if rule.kind not in KINDS:
        yield f"no kind {rule.kind!r}; there are {', '.join(KINDS)}"
        return
    kind = KINDS[rule.kind]
    foreign = sorted(set(rule.params) - set(kind.params))
    yield from (f"{rule.kind} knows no {name!r}" for name in foreign)
    if not unknown:
        yield from kind.problems(known, rule.params, elsewhere)
