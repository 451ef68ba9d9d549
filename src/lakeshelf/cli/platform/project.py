# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`init` and `check`: a project folder, and whether what is declared in it can be."""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json
from lakeshelf.cli.platform.doctor import print_diagnoses
from lakeshelf.errors import ConfigurationError

NAMES = {"gitignore": ".gitignore"}
"""File of the template → its name in a project; a package holds no file with a dot in front."""
PRIVATE = "compose.env"
"""File of the template that holds a secret."""


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project; made where it is not.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write files of the project anew that are there.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a project folder: settings, environment of containers, an example of files that become rows."""
    files = {folder / path: content for path, content in _template()}
    if (existing := [str(file) for file in files if file.exists()]) and not force:
        raise ConfigurationError(
            f"{existing[0]} is there already; nothing was written",
            hint="name another folder, or write the project's files anew with --force",
        )
    for file, content in files.items():
        _write(file, content)
    if as_json:
        print_json({"folder": str(folder.absolute()), "written": [str(file) for file in files]})
        return
    console().print(f"{len(files)} files written below {folder.absolute()}", soft_wrap=True)
    is_here = folder.resolve() == Path.cwd()
    enter = "" if is_here else f"`cd {shlex.quote(str(folder))}`, then "
    console().print(f"Next: {enter}`lakeshelf up`", soft_wrap=True)


def check(*, as_json: AsJson = False) -> None:
    """Examine what is declared: settings, environment of containers, contract, jobs, components, datasets of files."""
    from lakeshelf.stack.observing import checking, doctor

    print_diagnoses(doctor.examine(access.settings(), checking.EXAMINATIONS), as_json=as_json)


def _template() -> Iterator[tuple[str, str]]:
    """Path and content of each file of a project; secrets are new each time."""
    password = secrets.token_urlsafe(24)
    for path, file in _walked(resources.files("lakeshelf.cli") / "template", ""):
        content = file.read_text(encoding="utf-8")
        yield NAMES.get(path, path), content.replace("{password}", password)


def _walked(folder: Traversable, above: str) -> Iterator[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        path = f"{above}{entry.name}"
        if entry.is_dir():
            yield from _walked(entry, f"{path}/")
        else:
            yield path, entry


def _write(file: Path, content: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.name == PRIVATE:
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
    file.write_text(content, encoding="utf-8")
