"""Kafka's bootstrap: creates every topic of the contract, reports those whose settings differ.

Run it as often as you like. An existing topic is never altered. Exit code 1 when one differs from the
contract, or when Kafka refuses.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lakeshelf.contracts import project
from lakeshelf.errors import LakeshelfError
from lakeshelf.kafka.topics import Ensured, ensure_all
from lakeshelf.stack.embedded.clients import running_client


def main(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Create every topic that is missing."""
    try:
        ensured = ensure_all(running_client(project.load()))
    except LakeshelfError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    typer.echo(
        json.dumps([vars(e) for e in ensured]) if as_json else "\n".join(map(as_line, ensured))
    )
    raise typer.Exit(1 if any(e.outcome == "differs" for e in ensured) else 0)


def as_line(ensured: Ensured) -> str:
    """One topic as a line."""
    differences = (
        f"{name} is {actual}, the contract says {declared}"
        for name, actual, declared in ensured.differences
    )
    return f"{ensured.outcome:<10}{ensured.topic} {'; '.join(differences)}".rstrip()


if __name__ == "__main__":
    typer.run(main)
