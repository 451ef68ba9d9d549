# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""How commands about governed datasets reach the API, and as whom."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.errors import ConfigurationError
from lakeshelf.governance.domain.permissions import SHOP
from lakeshelf.governance.errors import GovernanceError, refused

if TYPE_CHECKING:
    from lakeshelf.governance.client import Client, Dataset, Project
    from lakeshelf.settings import Settings

As = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Whose token of this machine is used; unset: as the settings api_token and api_user say, "
        "else the only one there is.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="DATASET", help="Such as shelf_policies.")]
Row = Annotated[str, typer.Argument(metavar="ROW", help="Key of the row.")]
InProject = Annotated[str, typer.Option("--project", help="The project.")]
PROJECT = SHOP
_CALLER = ContextVar("caller", default="")
"""The user whom the running command named, as an option."""


def is_served(settings: Settings) -> bool:
    """Whether governed datasets are served: at the address of the settings, or by the stack of the lake.

    A service of the stack that is down counts, too: what it governs is not to be changed in another way meanwhile.
    """
    from lakeshelf.stack.supervision.supervisor import running_stack

    return settings.api_url is not None or bool(running_stack(settings).get("governed"))


@contextmanager
def connected(user: str | None) -> Iterator[Client]:
    """The API of the lake, for a user.

    Raises:
        ConfigurationError: There is no token to use.
        GovernanceError: What the API refuses.
    """
    from lakeshelf import extras

    extras.require("governance")
    from lakeshelf.governance.client import Client
    from lakeshelf.stack.supervision import governed

    settings = access.settings()
    if settings.api_url is None:
        access.present(settings)
    _CALLER.set("" if user is None else f" --as {shlex.quote(user)}")
    url = settings.api_url or governed.address(settings)
    with Client(url, _token(settings, governed.tokens(settings), user)) as client:
        try:
            yield client
        except GovernanceError as error:
            silent = _silent(settings, url) if error.details.get("url") == url else None
            if silent is None:
                raise
            raise silent from error


def _silent(settings: Settings, url: str) -> GovernanceError | None:
    """The refusal of an API of the lake's own stack that does not listen now; None: there is no such stack."""
    from lakeshelf.stack.supervision.supervisor import running_stack

    part = running_stack(settings).get("parts", {}).get("api", {})
    if settings.api_url is not None or not part:
        return None
    return refused(
        "service_unavailable",
        f"the API at {url} does not answer: it is {part['state']}",
        hint="try again in some seconds; `lakeshelf status` shows how it is",
    )


def sign_in_page(url: str, secret: str) -> str:
    """Address of the page that signs a browser in; browsers send nobody what stands behind `#`.

    Args:
        url: Of the API.
        secret: Of the link.
    """
    return f"{url.rstrip('/')}/login#{secret}"


@contextmanager
def project_of(user: str | None, project: str) -> Iterator[Project]:
    """A project, for a user."""
    with connected(user) as client:
        yield client.project(project)


@contextmanager
def dataset_of(user: str | None, name: str) -> Iterator[Dataset]:
    """A dataset, for a user: `project/dataset`, or its id in the project of the shop."""
    project, _, dataset = name.replace(".", "/").rpartition("/")
    with project_of(user, project or PROJECT) as its_project:
        yield its_project.dataset(dataset)


def name_of(project: str, dataset: str) -> str:
    """A dataset as commands take it."""
    return dataset if project == PROJECT else f"{project}/{dataset}"


def next_command(words: str, project: str = PROJECT) -> str:
    """A command about governed datasets as the same person can type it next: with lake, user and project.

    Args:
        words: The command, without options of that kind.
        project: The project of the change request or address that it is about.
    """
    inside = "" if project == PROJECT else f" --project {shlex.quote(project)}"
    return access.command(f"{words}{inside}{_CALLER.get()}")


def _token(settings: Settings, folder: Path, user: str | None) -> str:
    if user is None and settings.api_token is not None:
        return settings.api_token.get_secret_value()
    user = user or settings.api_user
    files = sorted(file.name for file in folder.glob("*")) if folder.is_dir() else []
    if user is None and len(files) == 1:
        user = files[0]
    if user is None:
        raise ConfigurationError(
            f"it is not clear whose token of {folder} shall be used",
            hint=f"give --as with one of {_listed(files)}",
        )
    if user not in files:
        raise ConfigurationError(
            f"there is no token of {user} in {folder}", hint=f"there are those of {_listed(files)}"
        )
    return (folder / user).read_text(encoding="utf-8").strip()


def _listed(files: list[str]) -> str:
    return ", ".join(files) or "nobody: `lakeshelf up` or `lakeshelf users bootstrap` makes one"
