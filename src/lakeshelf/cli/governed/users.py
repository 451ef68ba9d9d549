# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`lakeshelf users`: people of governed datasets."""

from __future__ import annotations

from typing import Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json
from lakeshelf.cli.governed import tokens

app = typer.Typer(no_args_is_help=True, help="People of governed datasets.")
app.add_typer(tokens.tokens, name="tokens")
app.add_typer(tokens.sessions, name="sessions")
app.add_typer(tokens.identities, name="identities")
app.command("link")(tokens.link)


@app.callback()
def users() -> None:
    """People of governed datasets."""


@app.command()
def bootstrap(
    name: Annotated[str, typer.Argument(help="Name of the first user, who is an admin.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make the first user, an admin, with a token in a file that only you can read."""
    from lakeshelf import extras

    extras.require("governance")
    from lakeshelf.governance.metadata import Metadata
    from lakeshelf.governance.services.context import Context
    from lakeshelf.governance.services.people import sample
    from lakeshelf.governance.services.people import users as people
    from lakeshelf.governance.validation.remote import Worker
    from lakeshelf.lake.place.location import Root
    from lakeshelf.stack.supervision import governed

    settings = access.plain()
    with Metadata.open(settings.governance_place) as metadata:
        context = Context(metadata, Root.at(settings.lake_root), Worker(governed.worker(settings)))
        token, secret = people.bootstrap(context, name)
    file = governed.tokens(settings).absolute() / name
    sample.keep_secret(file, secret)
    if as_json:
        until = token.expires_at.isoformat()
        print_json({"user": name, "token": token.id, "file": str(file), "expires_at": until})
    else:
        console().print(f"{name} is an admin; the token lies in {file}.", soft_wrap=True)
