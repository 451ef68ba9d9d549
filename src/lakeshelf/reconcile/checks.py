"""What a reconciliation found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SAMPLES = 5
"""Most differing keys that a check names."""


@dataclass(frozen=True)
class Check:
    """One statement about the lake, compared key by key.

    Attributes:
        name: Short name: an invariant's (I0), or what is compared.
        title: The statement in words.
        expected: Total that the statement asks for.
        actual: Total that the tables have.
        differences: Keys at which the two differ; equal totals do not hide any.
        sample: Some of those keys, each with what was expected and found.
    """

    name: str
    title: str
    expected: int
    actual: int
    differences: int
    sample: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.differences == 0

    def as_json(self) -> dict[str, object]:
        """The check as plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "ok": self.ok,
            "expected": self.expected,
            "found": self.actual,
            "differences": self.differences,
            "sample": list(self.sample),
        }


@dataclass(frozen=True)
class Reconciliation:
    """All checks of a lake.

    Attributes:
        checks: The checks in the order of the report.
        tables: Rows of each table that was read.
        seconds: How long it took.
    """

    checks: tuple[Check, ...]
    tables: Mapping[str, int]
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether no check differs."""
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, object]:
        """The reconciliation as plain values."""
        return {
            "ok": self.ok,
            "checks": [check.as_json() for check in self.checks],
            "tables": dict(self.tables),
            "seconds": round(self.seconds, 3),
        }
