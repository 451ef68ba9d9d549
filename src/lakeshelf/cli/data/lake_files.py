# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""Datasets to parquet files, and parquet files and tables of PostgreSQL to datasets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lakeshelf.cli.console.output import AsJson, Limit, Steps, console, print_json
from lakeshelf.cli.data.lake_options import AtOption, DryRun, Name, dataset, moment, opened, show
from lakeshelf.errors import ConfigurationError
from lakeshelf.files import write_atomically

if TYPE_CHECKING:
    from lakeshelf.migration import MigrationReport


def export(
    name: Name,
    dest: Annotated[Path, typer.Argument(help="Folder that is empty or not there.")],
    *,
    at: AtOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a folder that is an export.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a dataset as parquet files, and `_export.json` beside them."""
    made = opened().export_parquet(
        dataset(name), dest, None if at is None else moment(at), force=force
    )
    if as_json:
        print_json(made.as_json())
        return
    summary = {
        "dataset": made.dataset,
        "version": made.version,
        "rows": made.rows,
        "files": len(made.files),
        "fingerprint": made.fingerprint,
    }
    show([summary], as_json=False)


def migrate(
    source: Annotated[Path, typer.Argument(help="Parquet file, or folder of them.")],
    name: Name,
    *,
    partition: Annotated[
        list[str] | None,
        typer.Option("--partition", help="Type of a column in folder names: `store_id:int64`."),
    ] = None,
    hive: Annotated[
        bool, typer.Option("--hive/--no-hive", help="Folders `column=value` are partitions.")
    ] = True,
    schema: Annotated[
        Literal["strict", "merge"],
        typer.Option("--schema", help="Files that differ are refused, or widened and filled."),
    ] = "strict",
    assume_utc: Annotated[
        bool, typer.Option("--assume-utc", help="Times without a zone are UTC.")
    ] = False,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Add the files that the dataset lacks.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--verify", help="Compare what was migrated once more.")
    ] = False,
    dry_run: DryRun = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="File for the report as JSON.")
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Bring parquet files into a Delta table: all or none, and only when every checksum matches."""
    from lakeshelf import migration

    if check and (dry_run or incremental):
        raise ConfigurationError("--verify writes nothing", hint="give it alone")
    options = migration.Options(_types(partition or ()), hive, schema, assume_utc)
    lake, dataset_name = opened(made=True), dataset(name)
    with Steps(migration.STEPS).shown() as steps:
        if dry_run:
            made = migration.dry_run(lake, source, dataset_name, options, steps)
        elif check:
            made = migration.verify(lake, source, dataset_name, options, steps)
        else:
            made = migration.migrate(
                lake, source, dataset_name, options, incremental=incremental, progress=steps
            )
    if report is not None:
        write_atomically(report, json.dumps(made.as_json(), indent=1).encode())
    print_json(made.as_json()) if as_json else _show(made, limit)
    raise typer.Exit(made.exit_code)


def migrate_postgres(
    table: Annotated[str, typer.Argument(help="Table of PostgreSQL, as `schema.table`.")],
    name: Name,
    *,
    address: Annotated[
        str,
        typer.Option(
            "--address",
            envvar="LAKESHELF_POSTGRES",
            help="Address of the database; nothing: what PGHOST and the like say.",
            show_envvar=True,
        ),
    ] = "",
    assume_utc: Annotated[
        bool, typer.Option("--assume-utc", help="Times without a zone are UTC.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="File for the report as JSON.")
    ] = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Bring a table of PostgreSQL, as it is at one moment, into a Delta table: all or none, and compared."""
    from lakeshelf import migration
    from lakeshelf.migration.postgres import migrate_postgres as migrated

    options, lake = migration.Options(assume_utc=assume_utc), opened(made=True)
    with Steps(migration.STEPS).shown() as steps:
        made = migrated(lake, address, table, dataset(name), options, progress=steps)
    if report is not None:
        write_atomically(report, json.dumps(made.as_json(), indent=1).encode())
    print_json(made.as_json()) if as_json else _show(made, limit)
    raise typer.Exit(made.exit_code)


def _types(texts: Sequence[str]) -> dict[str, Any]:
    from lakeshelf.migration.types import PARTITION_TYPES

    types = {}
    for text in texts:
        column, _, kind = text.partition(":")
        if not column or kind not in PARTITION_TYPES:
            raise ConfigurationError(
                f"--partition {text!r} is no `column:type`",
                hint=f"types are {', '.join(PARTITION_TYPES)}",
            )
        types[column] = PARTITION_TYPES[kind]
    return types


def _show(made: MigrationReport, limit: int) -> None:
    summary = {
        "dataset": made.dataset,
        "outcome": made.outcome,
        "version": made.version,
        "files": len(made.files),
        "changed": len(made.changed),
        "rows": made.rows,
        "rows compared": made.target_rows,
    }
    show([summary], as_json=False)
    partitioned = [f"partitioned by {', '.join(made.partition_by)}"] if made.partition_by else []
    drift = [line for file in made.files for line in file.drift]
    changed = [f"{name} has changed since it was migrated" for name in made.changed]
    lines = [*partitioned, *made.conversions, *(made.problems or drift)]
    lines += [line for line in changed if line not in lines]
    for line in lines[:limit]:
        console().print(line)
    if len(lines) > limit:
        console().print(f"{limit:,} of {len(lines):,}; --limit shows more")
