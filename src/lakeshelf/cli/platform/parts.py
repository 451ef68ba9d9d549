# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`run`: one part of the stack in this process, as a container has it; `ui`: pages of a lake without its stack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakeshelf import extras
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import console
from lakeshelf.cli.governed.connecting import sign_in_page
from lakeshelf.errors import LakeshelfError
from lakeshelf.settings import Settings

if TYPE_CHECKING:
    from lakeshelf.governance.services.context import Context

Part = Literal["broker", "api", "worker"]


def run(
    part: Annotated[Part, typer.Argument(help="`broker`, `api` or `worker`.")],
) -> None:
    """Run a part of the stack in this process until Ctrl-C; `jobs run` and `components run` run the others."""
    from lakeshelf.stack.supervision import handover

    settings = access.settings()
    handover.begin_log(part, settings, printed=True)
    _runner(part)(settings, ())


def _runner(part: Part) -> Callable[[Settings, Iterable[str]], None]:
    from lakeshelf.stack.embedded import broker_process
    from lakeshelf.stack.serving import api_process
    from lakeshelf.stack.supervision import worker_process

    if part == "broker":
        return broker_process.run
    return api_process.run if part == "api" else worker_process.run


def ui() -> None:
    """Serve pages of a lake whose stack is down, for reading, until Ctrl-C; `up` serves those of a living one."""
    from lakeshelf.stack.supervision import governed, handover
    from lakeshelf.stack.supervision.supervisor import running_stack

    extras.require(governed.EXTRA)
    extras.require(governed.PAGES)
    from lakeshelf.stack.serving import api_process

    settings = access.present()
    if running_stack(settings).get("parts", {}).get("api"):
        raise LakeshelfError(
            f"the stack of {settings.lake} is up, and serves its pages at {governed.address(settings)}",
            hint=f"open them, or run `{access.command('down')}` first",
        )
    handover.begin_log("api", settings, printed=False)
    api_process.read(settings, _print_links_of)


def print_links(settings: Settings) -> None:
    """Tell where the pages of a stack that is up are, and how each of its sample people signs in.

    Args:
        settings: Of the stack.
    """
    from lakeshelf.governance.client import Client
    from lakeshelf.stack.supervision import governed

    if extras.absent((governed.PAGES,)):
        return
    url = governed.address(settings)
    _print("pages", url)
    for file in _token_files(settings):
        try:
            with Client(url, file.read_text(encoding="ascii").strip()) as client:
                page = sign_in_page(url, client.sign_in_link(file.name)["secret"])
        except (LakeshelfError, OSError):  # it does not answer yet
            page = access.command(f"users link --as {file.name}")
        _print(f"sign in as {file.name}, once, within ten minutes", page)


def _token_files(settings: Settings) -> list[Path]:
    """A file for each sample person; where the API has not begun yet, those that it is going to make."""
    from lakeshelf.governance.services.people import sample
    from lakeshelf.stack.supervision import governed

    if not governed.has_sample(settings):
        return []
    folder = governed.tokens(settings)
    return sorted(folder.glob("[!.]*")) or [folder / name for name in sample.ROLES]


def _print_links_of(address: str, context: Context) -> None:
    from lakeshelf.governance.services.context import Caller
    from lakeshelf.governance.services.people import sample, signing

    admin = Caller("", admin=True)  # whoever runs this command

    with context.metadata.reading() as tx:
        names = [user.name for user in tx.people.all() if user.name in sample.ROLES]
    _print("pages", address)
    for name in names:
        _, secret = signing.link(context, admin, name)
        page = sign_in_page(address, secret)
        _print(f"sign in as {name}, once, within ten minutes", page)
    console().print("Nothing can be changed here; Ctrl-C ends it.")


def _print(meaning: str, address: str) -> None:
    console().print(f"{meaning}: {address}", markup=False, soft_wrap=True)
