"""What a governed dataset is: its columns, key, rules and policy, as one versioned record.

docs/design/governance.md#definition
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, get_args

import pyarrow as pa

from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.types import DOUBLE, SCALARS, STRING, Decimal, Field, Scalar
from lakeshelf.errors import ContractError
from lakeshelf.governance.domain.shape import require_shape
from lakeshelf.governance.errors import GovernanceError, refused

Severity = Literal["info", "warning", "error", "fatal"]
Strictness = Literal["cell", "row", "any_change"]
RuleKind = Literal[
    "between", "compare", "in_set", "length", "not_null", "references", "regex", "unique"
]
ROW_ID = "row_id"
"""Column of a dataset without a natural key; its values are made by the server."""
_ID = re.compile(r"[a-z][a-z0-9_]{2,62}")
_DECIMAL = re.compile(r"decimal\(([0-9]{1,2}),([0-9]{1,2})\)")
_DIGITS = 38
"""Most digits of a decimal."""


def checked_id(value: str, what: str) -> str:
    """An id of a project, dataset, user or group.

    Raises:
        GovernanceError: `name_invalid`.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise refused(
            "name_invalid",
            f"{str(value)[:80]!r} is no id of a {what}",
            hint="3 to 63 lower-case letters, digits and underscores, a letter first",
            value=str(value)[:80],
        )
    return value


@dataclass(frozen=True)
class Column:
    """A column of a governed dataset.

    Attributes:
        field: Name, type, bounds, set, unit and sentence, as contracts have them.
        label: What people call it; empty: its name.
        hidden: Whether people no longer see it; its values stay.
        system: Whether the merge writes it and nobody edits it.
    """

    field: Field
    label: str = ""
    hidden: bool = False
    system: bool = False

    @property
    def name(self) -> str:
        """Its name in the table."""
        return self.field.name


@dataclass(frozen=True)
class RowRule:
    """What has to hold for rows.

    Attributes:
        name: Its name in the dataset.
        kind: What is judged; `params` belong to it.
        columns: Columns that are judged.
        params: `minimum` and `maximum` of `between` and `length`; `values` of `in_set`; `pattern` (RE2) of `regex`;
            `dataset` and `column` of `references`; `operator` of `compare`, for the first column against the second.
        severity: `error` and `fatal` block where a change introduces them.
        fixed: Whether it comes with the binding and cannot be removed.
    """

    name: str
    kind: RuleKind
    columns: tuple[str, ...]
    params: Mapping[str, Any] = field(default_factory=dict)
    severity: Severity = "error"
    fixed: bool = False


@dataclass(frozen=True)
class ApprovalPolicy:
    """Who has to agree.

    Attributes:
        approvals: Approvals that a change needs.
        groups: Column → group, one of whose members has to approve a change of it.
        required_checks: Names of checks that have to have passed.
        restore_by_owner: Whether an owner may restore at once, with a reason.
    """

    approvals: int = 1
    groups: Mapping[str, str] = field(default_factory=dict)
    required_checks: tuple[str, ...] = ()
    restore_by_owner: bool = False


@dataclass(frozen=True)
class Definition:
    """What a dataset is, in one version.

    Attributes:
        version: Counts from 1.
        columns: Columns in the order of the table; key and system columns among them.
        key: Columns that identify a row; `("row_id",)` where the server makes them.
        rules: What has to hold.
        policy: Who has to agree.
        deletes: Whether rows may be deleted.
        strictness: What counts as a conflict: the same cell, the same row, or any change since.
        topic: Compacted topic that the rows go to; None: none.
    """

    version: int
    columns: tuple[Column, ...]
    key: tuple[str, ...] = (ROW_ID,)
    rules: tuple[RowRule, ...] = ()
    policy: ApprovalPolicy = ApprovalPolicy()
    deletes: bool = True
    strictness: Strictness = "cell"
    topic: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        _require(_counts(self.version), f"no version {self.version!r}: it counts from 1", [])
        _require(len(set(names)) == len(names), "a column is declared twice", names)
        _require(bool(self.key), "there is no key", names)
        _require(len(set(self.key)) == len(self.key), "a column of the key is named twice", names)
        for name in self.key:
            _require(name in names, f"the key {name} is no column", names)
            _require(self[name].field.type != DOUBLE, f"{name} is a float and cannot be a key", [])
            _require(not self[name].system, f"{name} is a system column and cannot be a key", [])
        _require(self.strictness in get_args(Strictness), f"no strictness {self.strictness}", [])
        self._check_rules(names)
        approvals = "policy.approvals"
        _require(
            _counts(self.policy.approvals), "a change needs an approval at least", [], approvals
        )
        unknown = sorted(set(self.policy.groups) - set(names))
        _require(not unknown, f"the policy has groups for {', '.join(unknown)}", names)

    def _check_rules(self, names: list[str]) -> None:
        rules = [rule.name for rule in self.rules]
        _require(len(set(rules)) == len(rules), "a rule is declared twice", rules)
        kinds, severities = get_args(RuleKind), get_args(Severity)
        for place, rule in enumerate(self.rules):
            of, about = f"rule {rule.name}", f"rules.{place}"
            _require(rule.kind in kinds, f"{of} is of no kind {rule.kind}", [*kinds], about)
            is_severity = rule.severity in severities
            _require(is_severity, f"{of} has no severity {rule.severity}", [*severities], about)
            _require(bool(rule.columns), f"{of} is about no column", names, about)
            unknown = sorted(set(rule.columns) - set(names))
            _require(not unknown, f"{of} is about {', '.join(unknown)}", names, about)

    def __getitem__(self, name: str) -> Column:
        if name not in self._by_name:
            raise refused(
                "request_invalid",
                f"there is no column {name[:80]!r}",
                hint=f"there are {', '.join(self._by_name)}",
                column=name[:80],
            )
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def made_keys(self) -> bool:
        """Whether the server makes the keys."""
        return self.key == (ROW_ID,)

    @cached_property
    def editable(self) -> tuple[Column, ...]:
        """Columns that people change: neither key nor system columns."""
        return tuple(c for c in self.columns if not c.system and c.name not in self.key)

    @cached_property
    def content(self) -> tuple[Column, ...]:
        """Columns that people decide on: all but system columns."""
        return tuple(column for column in self.columns if not column.system)

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of the table; all but the key are nullable, so that one can be added later."""
        fields = arrow_contract.schema(column.field for column in self.columns)
        return pa.schema([f.with_nullable(f.name not in self.key) for f in fields])

    def next(self, **changes: Any) -> Definition:
        """The version after this one, with some parts changed."""
        return replace(self, version=self.version + 1, **changes)

    def as_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return {
            "version": self.version,
            "columns": [_column_json(column) for column in self.columns],
            "key": list(self.key),
            "rules": [
                {**vars(rule), "columns": list(rule.columns), "params": dict(rule.params)}
                for rule in self.rules
            ],
            "policy": {
                **vars(self.policy),
                "groups": dict(self.policy.groups),
                "required_checks": list(self.policy.required_checks),
            },
            "deletes": self.deletes,
            "strictness": self.strictness,
            "topic": self.topic,
        }

    @classmethod
    def of_json(cls, value: Mapping[str, Any]) -> Definition:
        """The record that was written as JSON.

        Raises:
            GovernanceError: `definition_invalid`.
        """
        value = require_shape(value)
        try:
            return cls(
                version=value["version"],
                columns=tuple(_column(*one) for one in enumerate(value["columns"])),
                key=tuple(value["key"]),
                rules=tuple(
                    RowRule(**{**rule, "columns": tuple(rule["columns"])})
                    for rule in value["rules"]
                ),
                policy=ApprovalPolicy(
                    **{
                        **value["policy"],
                        "required_checks": tuple(value["policy"]["required_checks"]),
                    }
                ),
                deletes=value["deletes"],
                strictness=value["strictness"],
                topic=value["topic"],
            )
        except (ValueError, ContractError) as error:
            raise refused("definition_invalid", f"no definition: {error}"[:400]) from error

    def dumps(self) -> str:
        """The record as JSON text that is the same for the same record."""
        return json.dumps(self.as_json(), sort_keys=True)


def _column_json(column: Column) -> dict[str, Any]:
    contract = column.field
    return {
        "name": contract.name,
        "type": str(contract.type),
        "doc": contract.doc,
        "required": contract.required,
        "minimum": contract.minimum,
        "maximum": contract.maximum,
        "enum": list(contract.enum),
        "max_length": contract.max_length,
        "unit": contract.unit,
        "default": contract.default,
        "label": column.label,
        "hidden": column.hidden,
        "system": column.system,
    }


def _column(place: int, value: Mapping[str, Any]) -> Column:
    own = {"label", "hidden", "system"}
    rest = {name: part for name, part in value.items() if name not in own}
    try:
        rest["type"] = type_named(rest["type"])
        rest["enum"] = tuple(rest.get("enum", ()))
        return Column(Field(**rest), **{name: value[name] for name in own if name in value})
    except (GovernanceError, ValueError, ContractError) as error:
        text, hint = str(error.args[0])[:400], getattr(error, "hint", "")
        problem = text if isinstance(error, GovernanceError) else f"no definition: {text}"
        fields = {f"columns.{place}": str(error)[:400]}
        raise refused("definition_invalid", problem, hint=hint, fields=fields) from error


def type_named(name: str) -> Scalar | Decimal:
    """The type of that name, as columns of governed datasets have it.

    Raises:
        GovernanceError: `definition_invalid`.
    """
    if exact := _DECIMAL.fullmatch(str(name)):
        precision, scale = int(exact[1]), int(exact[2])
        if scale <= precision and 1 <= precision <= _DIGITS:
            return Decimal(precision, scale)
    for scalar in SCALARS:
        if scalar.name == name:
            return scalar
    raise refused(
        "definition_invalid",
        f"no type {str(name)[:80]!r}",
        hint=f"there are {', '.join(s.name for s in SCALARS)} and decimal(precision,scale) of {_DIGITS} digits",
    )


def made_key() -> Column:
    """The column of keys that the server makes."""
    return Column(Field(ROW_ID, STRING, "Key of the row, made when it was inserted."), "Row")


def _counts(value: Any) -> bool:
    return type(value) is int and value >= 1


def _require(holds: bool, problem: str, known: list[str], place: str = "") -> None:
    if not holds:
        hint = f"there are {', '.join(known)}" if known else "correct the definition"
        fields = {place: problem} if place else {}
        raise refused("definition_invalid", problem, hint=hint, fields=fields)
