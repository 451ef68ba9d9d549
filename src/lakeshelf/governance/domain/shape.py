"""The JSON of a definition: which parts it has, and of which types they are.

docs/design/governance.md#definition
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from lakeshelf.governance.errors import refused

_SHOWN = 10
Number = int | float


class _Part(BaseModel):
    """A part of which nothing is taken for another type: `"no"` is no false."""

    model_config = ConfigDict(strict=True, extra="forbid")


class _Column(_Part):
    name: str
    type: str
    doc: str
    required: bool = True
    minimum: Number | None = None
    maximum: Number | None = None
    enum: list[str] = []
    max_length: int | None = None
    unit: str = ""
    default: Number | bool | str | None = None
    internal: bool = False
    label: str = ""
    hidden: bool = False
    system: bool = False


class _Rule(_Part):
    name: str
    kind: str
    columns: list[str]
    params: dict[str, Any] = {}
    severity: str = "error"
    fixed: bool = False


class _Policy(_Part):
    approvals: int = 1
    groups: dict[str, str] = {}
    required_checks: list[str] = []
    restore_by_owner: bool = False


class _Definition(_Part):
    version: int
    columns: list[_Column]
    key: list[str]
    rules: list[_Rule]
    policy: _Policy
    deletes: bool
    strictness: str
    topic: str | None


def require_shape(value: Any) -> Mapping[str, Any]:
    """The JSON of a definition with all of its parts; what is left out has its default.

    Raises:
        GovernanceError: `definition_invalid`, with each part that is missing, unknown or of another type;
            `fields`: what is wrong by its place, such as `columns.3.doc`.
    """
    try:
        return _Definition.model_validate(value).model_dump()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        problems = [_sentence(one) for one in faults]
        raise refused(
            "definition_invalid",
            f"no definition: {'; '.join(problems[:_SHOWN])}"[:400],
            hint="see what `lakeshelf data definition` shows of a dataset",
            problems=problems,
            fields={_place(one): one["msg"] for one in faults},
        ) from None


def _sentence(problem: Mapping[str, Any]) -> str:
    return f"{_place(problem) or 'all of it'}: {problem['msg']}"


def _place(problem: Mapping[str, Any]) -> str:
    """Where it is, such as `columns.3.doc`; empty: all of it."""
    return ".".join(str(part)[:80] for part in problem["loc"])
