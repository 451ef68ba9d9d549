"""`lakeshelf users`: tokens, where somebody is signed in, and links that sign a browser in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    console,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed.connecting import As, connected, sign_in_page
from lakeshelf.errors import ConfigurationError

tokens = typer.Typer(
    no_args_is_help=True, help="Tokens: your own, and as an admin those of others."
)
sessions = typer.Typer(no_args_is_help=True, help="Where somebody is signed in by a browser.")
identities = typer.Typer(
    no_args_is_help=True, help="Users as the OpenID provider knows them, for admins."
)

Of = Annotated[
    str | None,
    typer.Option("--user", metavar="NAME", help="Whose; unset: your own. Others' are for admins."),
]
TOKEN = ("id", "label", "scopes", "created_by", "expires_at", "revoked_at", "last_used_at")
SESSION = ("id", "scopes", "created_at", "expires_at")


@tokens.command("list")
def list_tokens(
    *,
    of: Of = None,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List tokens, good or not, without their secrets."""
    with connected(user) as client:
        listed = client.tokens(of or client.me()["user"])
    _print(listed, "tokens", TOKEN, most(limit, every, as_json), as_json)


@tokens.command("make")
def make_token(
    label: Annotated[str, typer.Argument(help="What it is for, such as laptop.")] = "",
    *,
    of: Of = None,
    user: As = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it may be used for, again for more; unset: all."),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(min=1, max=366, help="How long it is good; unset: 90 days, or as your own."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="File for its secret, which only you can read; unset: it is printed."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token; its secret is told this once.

    Your own has no scope that the token lacks with which you ask, is good no longer, and is revoked with it.
    """
    if file is not None:
        _require_new(file)
    with connected(user) as client:
        name = of or client.me()["user"]
        made = client.issue_token(name, label=label, scopes=scopes, days=days)
    if file is not None:
        _keep(file, made.pop("secret"))
    if as_json:
        print_json(made | ({} if file is None else {"file": str(file)}))
        return
    token = made["token"]
    place = f"Its secret lies in {file}." if file is not None else made["secret"]
    console().print(
        f"Token {token['id']} of {name}, good until {token['expires_at']}.",
        markup=False,
        soft_wrap=True,
    )
    console().print(place, markup=False, soft_wrap=True)


@tokens.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Id of the token.")],
    *,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Take a token back, and those that were made with it; what is signed in by it ends."""
    with connected(user) as client:
        revoked = client.revoke_token(token)
    if as_json:
        print_json(revoked)
    else:
        console().print(f"Token {revoked['id']} of {revoked['user']} is revoked.", soft_wrap=True)


@sessions.command("list")
def list_sessions(
    *,
    of: Of = None,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List where somebody is signed in."""
    with connected(user) as client:
        listed = client.browser_sessions(of or client.me()["user"])
    _print(listed, "sessions", SESSION, most(limit, every, as_json), as_json)


@sessions.command("end")
def end_session(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="Id of the session.")],
    *,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Sign a browser out."""
    with connected(user) as client:
        client.end_session(session)
    if as_json:
        print_json({"session": session, "ended": True})
    else:
        console().print(f"Session {session} has ended.", markup=False, soft_wrap=True)


User = Annotated[str, typer.Argument(metavar="NAME", help="The user.")]
Subject = Annotated[str, typer.Argument(metavar="SUBJECT", help="Who that is for the provider.")]


@identities.command("list")
def list_identities(
    name: User, *, user: As = None, limit: Most = None, every: All = False, as_json: AsJson = False
) -> None:
    """List as whom providers know a user."""
    with connected(user) as client:
        listed = client.identities(name)
    print_list(listed[: most(limit, every, as_json)], len(listed), "identities", as_json)


@identities.command("link")
def link_identity(
    name: User, subject: Subject, *, user: As = None, as_json: AsJson = False
) -> None:
    """Let a user sign in by the provider; who tries before is told their subject."""
    with connected(user) as client:
        linked = client.link_identity(name, subject)
    if as_json:
        print_json(linked)
    else:
        line = f"{linked['subject']} of {linked['issuer']} is {linked['user']}."
        console().print(line, markup=False, soft_wrap=True)


@identities.command("unlink")
def unlink_identity(
    name: User, subject: Subject, *, user: As = None, as_json: AsJson = False
) -> None:
    """Let a user sign in by the provider no more; browsers that are signed in stay so until their end."""
    with connected(user) as client:
        client.unlink_identity(name, subject)
    if as_json:
        print_json({"user": name, "subject": subject, "unlinked": True})
    else:
        console().print(f"{subject} is {name} no more.", markup=False, soft_wrap=True)


def link(*, of: Of = None, user: As = None, as_json: AsJson = False) -> None:
    """Make a secret that signs a browser in, once, within ten minutes; it is told this once."""
    with connected(user) as client:
        made = client.sign_in_link(of or client.me()["user"])
        page = sign_in_page(client.url, made["secret"])
    if as_json:
        print_json(made | {"page": page})
        return
    head = f"Signs {made['user']} in, once, until {made['expires_at']}:"
    for line in (head, made["secret"], page):
        console().print(line, markup=False, soft_wrap=True)


def _print(
    listed: list[dict[str, Any]],
    what: str,
    columns: tuple[str, ...],
    limit: int | None,
    as_json: bool,
) -> None:
    shown = [one if as_json else one | {"scopes": ", ".join(one["scopes"])} for one in listed]
    print_list(shown[:limit], len(shown), what, as_json, columns=columns)


def _require_new(file: Path) -> None:
    if file.exists():
        raise ConfigurationError(
            f"{file} is there already; no token was made", hint="name another file, or remove it"
        )


def _keep(file: Path, secret: str) -> None:
    from lakeshelf.governance.services.people.sample import keep_secret  # noqa: PLC0415 - of the extra

    keep_secret(file.absolute(), secret)
