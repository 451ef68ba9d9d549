"""Migration of parquet files into a Delta table: planned, loaded into a staging table, compared, published."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deltalake import DeltaTable

from lakeshelf.lake.place.errors import Conflict, Damaged, NotFound
from lakeshelf.lake.place.names import checked
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.port import Tables
from lakeshelf.migration import rows, staging
from lakeshelf.migration.plan import Footer, MigrationPlan, Options, footers, planned
from lakeshelf.migration.report import MigrationReport, Outcome, differences, reported
from lakeshelf.migration.staging import APPLICATION, StagingTable, State, content_of

STEPS = {
    "hash": "Reading the files' content",
    "load": "Writing rows",
    "source": "Summing up the files",
    "target": "Summing up what was written",
    "publish": "Publishing",
}
"""Steps in their order, and what the user reads."""


class Reporter(Protocol):
    """Told at which step a migration is."""

    def __call__(self, step: str, done: int = 0, total: int = 0) -> None:
        """A step has done so much."""


def silent(step: str, done: int = 0, total: int = 0) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class _Ledger:
    """Files of a source, and which of them the target has.

    Attributes:
        source: Where they are.
        target: The table; None: there is none.
        files: The files.
        digests: File → hash of its content.
        states: File → whether the target has it.
    """

    source: Path
    target: DeltaTable | None
    files: tuple[Footer, ...]
    digests: Mapping[str, int]
    states: Mapping[str, State]

    @property
    def version(self) -> int | None:
        """Version of the target."""
        return self.target.version() if self.target is not None else None

    def of(self, state: State) -> list[Footer]:
        """The files in a state."""
        return [footer for footer in self.files if self.states[footer.file.name] == state]

    def report(self, plan: MigrationPlan, outcome: Outcome, **details: Any) -> MigrationReport:
        """The report of these files."""
        return reported(self.source, plan, self.files, self.states, outcome, **details)


def dry_run(
    lake: Tables, source: Path, name: str, options: Options, progress: Reporter = silent
) -> MigrationReport:
    """What a migration would do, and what stands in its way. Writes nothing."""
    ledger = _ledger(lake, source, name, options, progress)
    plan = planned(lake, name, ledger.of("new"), options)
    outcome: Outcome = "refused" if plan.problems else "planned"
    return ledger.report(plan, outcome, version=ledger.version)


def migrate(
    lake: Tables,
    source: Path,
    name: str,
    options: Options,
    *,
    incremental: bool = False,
    progress: Reporter = silent,
) -> MigrationReport:
    """Bring the rows of parquet files into a dataset, all or none, each file once however often it is tried.

    Args:
        lake: The lake.
        source: A parquet file or a folder of them.
        name: The dataset, which is created if it is not there.
        options: How files become rows.
        incremental: Whether files are added to a dataset that is there: those that it does not have.
        progress: Told about the steps `STEPS`.

    Raises:
        SchemaError: The plan has problems, or a value does not fit; nothing is published.
        Damaged: A file is corrupt, or what was written is not what the files hold; nothing is published.
        Conflict: The dataset is there and does not come from these files, or somebody else migrates into it.
    """
    with staging.alone(lake, checked(name)):
        return migrate_held(lake, source, name, options, incremental=incremental, progress=progress)


def migrate_held(
    lake: Tables,
    source: Path,
    name: str,
    options: Options,
    *,
    incremental: bool = False,
    progress: Reporter = silent,
) -> MigrationReport:
    """As `migrate`, by who holds the migration into the dataset (`staging.alone`) already."""
    ledger = _ledger(lake, source, name, options, progress)
    new = ledger.of("new")
    if new and not incremental:
        _require_free(ledger, name)
    plan = planned(lake, name, new, options)
    plan.require()
    if not new:
        staging.tidy(lake, name)
        return ledger.report(plan, "unchanged", version=ledger.version, counted="loaded")
    return _migrated(lake, plan, ledger, progress)


def verify(
    lake: Tables, source: Path, name: str, options: Options, progress: Reporter = silent
) -> MigrationReport:
    """Compare the files that were migrated with the rows of the dataset, column by column.

    Raises:
        NotFound: No such dataset.
    """
    ledger = _ledger(lake, source, name, options, progress)
    if ledger.target is None:
        raise NotFound(f"no table {name} to compare with", hint="migrate first")
    plan, target = planned(lake, name, (), options), ledger.target
    loaded = ledger.of("loaded")
    problems = _strangers(loaded, plan) + _changed(ledger)
    compared = _compared(plan, loaded, lambda: content_of(target, plan), progress)
    problems += differences(*compared)
    return ledger.report(
        plan, "differs" if problems else "verified",
        version=ledger.version, problems=problems, compared=compared, counted="loaded",
    )  # fmt: skip


def _migrated(
    lake: Tables, plan: MigrationPlan, ledger: _Ledger, progress: Reporter
) -> MigrationReport:
    name, new = plan.dataset.name, plan.files
    made = StagingTable(lake, plan, {f.file.name: ledger.digests[f.file.name] for f in new})
    staging.tidy(lake, name, made.id)
    made.load(new, _counting(progress, "load", len(new)))
    compared = _compared(plan, new, made.content, progress)
    if problems := differences(*compared):
        staging.tidy(lake, name)
        raise Damaged(
            f"{name}: what was written is not what {ledger.source} holds: {'; '.join(problems)}",
            hint="nothing was published; run it again, and check the disk if it happens again",
        )
    progress("publish")
    commit = made.publish()
    staging.tidy(lake, name)
    return ledger.report(plan, "migrated", version=commit.version, compared=compared)


def _ledger(lake: Tables, source: Path, name: str, options: Options, progress: Reporter) -> _Ledger:
    files = footers(lake, source, name, options)
    target = tables.open_table(lake.root, name) if tables.exists(lake.root, name) else None
    seen = _counting(progress, "hash", len(files))
    digests: dict[str, int] = {}
    for footer in files:
        digests[footer.file.name] = footer.file.digest()
        seen()
    states = {file: staging.state(target, file, digest) for file, digest in digests.items()}
    return _Ledger(source, target, files, digests, states)


def _require_free(ledger: _Ledger, name: str) -> None:
    if ledger.target is None or _is_begun(ledger):
        return
    raise Conflict(
        f"{name} is there, and {len(ledger.of('new')):,} of {len(ledger.files):,} files are not in it",
        hint="`--incremental` adds them; or migrate into another dataset",
    )


def _is_begun(ledger: _Ledger) -> bool:
    """Whether the target was made by a migration that died before its rows appeared."""
    begun = ledger.target is not None and ledger.target.transaction_version(APPLICATION) is not None
    return begun and set(ledger.states.values()) == {"new"}


def _compared(
    plan: MigrationPlan, files: Sequence[Footer], target: Callable[[], RowSums], progress: Reporter
) -> tuple[RowSums, RowSums]:
    source = rows.content(files, plan.schema, _counting(progress, "source", len(files)))
    progress("target")
    return source, target()


def _counting(progress: Reporter, step: str, total: int) -> Callable[[], None]:
    done = itertools.count(1)
    progress(step, 0, total)
    return lambda: progress(step, next(done), total)


def _strangers(files: Sequence[Footer], plan: MigrationPlan) -> tuple[str, ...]:
    """Columns of files that the target does not have."""
    return tuple(
        f"{footer.file.name}: {plan.dataset.name} has no column {name}"
        for footer in files
        for name in (*footer.schema.names, *footer.file.partition)
        if name not in plan.schema.names
    )


def _changed(ledger: _Ledger) -> tuple[str, ...]:
    return tuple(
        f"{footer.file.name} has changed since it was migrated" for footer in ledger.of("changed")
    )
