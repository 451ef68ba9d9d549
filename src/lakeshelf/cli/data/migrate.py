"""`lakeshelf migrate`: what other stores hold becomes a dataset, all or none, and compared."""

from __future__ import annotations

import typer

from lakeshelf.cli.data import lake_files

app = typer.Typer(
    no_args_is_help=True,
    help="Bring parquet files, and tables of PostgreSQL, into the lake: all or none, and compared.",
)
app.command("parquet")(lake_files.migrate)
app.command("postgres")(lake_files.migrate_postgres)
