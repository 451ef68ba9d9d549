"""The lake's bootstrap: creates every table of the contract, adds columns that an older table lacks.

Run it as often as you like. Exit code 1 when a table cannot be created or does not fit the contract.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lakeshelf.contracts import project
from lakeshelf.errors import LakeshelfError, refused
from lakeshelf.lake.rows import tables


def main(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Create or evolve every table of the lake."""
    try:
        created = tables.ensure_all(project.load().lake_root)
    except LakeshelfError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except OSError as error:  # a folder that cannot even be looked into
        typer.echo(f"error: {'; '.join(filter(None, refused(error)))}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps([vars(table) for table in created]))
        return
    for table in created:
        added = f": {', '.join(table.added)}" if table.added else ""
        typer.echo(f"{table.outcome:<10}{table.table}{added}")


if __name__ == "__main__":
    typer.run(main)
