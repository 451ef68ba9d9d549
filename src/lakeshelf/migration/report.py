"""What a migration did or would do, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from lakeshelf.counts import count_of
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.migration.plan import Footer, MigrationPlan
from lakeshelf.migration.staging import State

Outcome = Literal["planned", "refused", "migrated", "unchanged", "verified", "differs"]


@dataclass(frozen=True)
class FileReport:
    """A file, and whether the target has its rows.

    Attributes:
        name: Path below the source.
        rows: Rows.
        bytes: Size.
        state: `new`, `loaded`, or `changed` since it was loaded.
        partition: Values that its folders name.
        drift: How it differs from what is expected.
    """

    name: str
    rows: int
    bytes: int
    state: State
    partition: Mapping[str, str | None]
    drift: tuple[str, ...]


@dataclass(frozen=True)
class MigrationReport:
    """What a migration did or would do.

    Attributes:
        source: Where the files are.
        dataset: The target.
        outcome: What it came to.
        version: Version of the target that was made or compared; None: none.
        rows: Rows of the files that are or would be migrated, or were compared.
        target_rows: Rows that were found in what was written; None: nothing was compared.
        columns: Column → type in the target.
        partition_by: Partition columns.
        conversions: Types that become others.
        problems: What stands in the way, or differs.
        checksums: Column → checksum of the source and of the target.
        files: The files.
    """

    source: str
    dataset: str
    outcome: Outcome
    version: int | None
    rows: int
    target_rows: int | None
    columns: Mapping[str, str]
    partition_by: tuple[str, ...]
    conversions: tuple[str, ...]
    problems: tuple[str, ...]
    files: tuple[FileReport, ...]
    checksums: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def changed(self) -> tuple[str, ...]:
        """Files whose content has changed since they were migrated."""
        return tuple(file.name for file in self.files if file.state == "changed")

    @property
    def exit_code(self) -> int:
        """0: fine; 1: refused; 2: done in part, or damage found."""
        if self.outcome == "refused":
            return 1
        return 2 if self.outcome == "differs" or self.changed else 0

    def as_json(self) -> dict[str, Any]:
        """The report as JSON."""
        return asdict(self) | {"changed": list(self.changed)}


def reported(
    source: Path,
    plan: MigrationPlan,
    files: Sequence[Footer],
    states: Mapping[str, State],
    outcome: Outcome,
    *,
    version: int | None = None,
    problems: tuple[str, ...] = (),
    compared: tuple[RowSums, RowSums] | None = None,
    counted: State = "new",
) -> MigrationReport:
    """The report of a plan and what became of it.

    Args:
        source: Where the files are.
        plan: The plan.
        files: The files of the source.
        states: File → whether the target has it.
        outcome: What it came to.
        version: Version of the target.
        problems: What was found, beside what the plan knows.
        compared: Content of source and target.
        counted: Which files' rows are the report's.
    """
    listed = tuple(
        FileReport(
            f.file.name, f.rows, f.file.size, states[f.file.name], f.file.partition,
            tuple(str(d) for d in plan.drift if d.file == f.file.name),
        )
        for f in files
    )  # fmt: skip
    sums = compared and _checksums(*compared)
    return MigrationReport(
        str(source),
        plan.dataset.name,
        outcome,
        version,
        sum(file.rows for file in listed if file.state == counted),
        compared[1].rows if compared else None,
        {field.name: str(field.type) for field in plan.schema},
        plan.dataset.partition_by,
        tuple(f"{c.column}: {c.source_type} becomes {c.becomes}" for c in plan.conversions),
        (*plan.problems, *problems),
        listed,
        sums or {},
    )


def differences(source: RowSums, target: RowSums) -> tuple[str, ...]:
    """What two contents do not share; empty: they are the same rows."""
    differing = []
    if source.rows != target.rows:
        differing.append(
            f"the source has {count_of(source.rows, 'row')}, the target {target.rows:,}"
        )
    columns = [name for name, (a, b) in _checksums(source, target).items() if a != b]
    if columns:
        differing.append(f"values differ in {', '.join(columns)}")
    elif not differing and source.fingerprint != target.fingerprint:
        differing.append("each column has the same values, in other rows")
    return tuple(differing)


def _checksums(source: RowSums, target: RowSums) -> dict[str, tuple[str, str]]:
    return {name: (total, target.columns[name]) for name, total in source.columns.items()}
