# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`init` and `check`: a project folder, and whether what is declared in it can be."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from lakeshelf.choices import chosen
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, console, print_json
from lakeshelf.cli.platform.observing.doctor import print_diagnoses
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

COMPOSE = "compose"
COMPOSE_FILE, VARIABLES = "docker-compose.yml", "compose.env"


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder of the project, made where it is not; the word `compose` writes the secrets of "
            "docker-compose.yml instead."
        ),
    ],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Write files of the project anew that are there.")
    ] = False,
    renew: Annotated[
        list[str] | None,
        typer.Option(
            "--renew",
            metavar="SERVICE",
            help="Of `compose`, write anew only the secrets of a service: kafka, postgres, s3. Can be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a project folder: settings, environment of containers, an example job, and files that become rows."""
    from lakeshelf.cli.platform import scaffolding, whole

    if str(folder) == COMPOSE:
        _init_compose(renew or [], force=force, as_json=as_json)
        return
    if renew:
        raise ConfigurationError(
            f"--renew is for secrets, and {folder} is a project",
            hint="run `lakeshelf init compose --renew SERVICE`",
        )
    content = scaffolding.project_files()
    files = [folder / path for path in content]
    if (existing := whole.existing(folder, content)) and not force:
        raise ConfigurationError(
            f"{existing[0]} is there already; nothing was written",
            hint="name another folder, or write the project's files anew with --force",
        )
    whole.place(folder, content)
    if as_json:
        print_json({"folder": str(folder.absolute()), "written": [str(file) for file in files]})
        return
    console().print(
        f"{count_of(len(files), 'file')} written below {folder.absolute()}", soft_wrap=True
    )
    is_here = folder.resolve() == Path.cwd()
    enter = "" if is_here else f"`cd {shlex.quote(str(folder))}`, then "
    console().print(f"Next: {enter}`lakeshelf up`", soft_wrap=True)


def _init_compose(services: list[str], *, force: bool, as_json: bool) -> None:
    """Write the secrets that profiles of the Compose file need, and the variables that turn them on."""
    from lakeshelf.cli.platform import scaffolding

    folder = _compose_home() / scaffolding.SECRETS
    content = _renewed(folder, services) if services else _first(folder, force=force)
    scaffolding.write_secrets(folder, content)
    if as_json:
        print_json({"folder": str(folder), "written": [str(folder / name) for name in content]})
        return
    console().print(
        f"{count_of(len(content), 'file')} written below {folder}; only you may enter it",
        soft_wrap=True,
    )
    command = f"docker compose --env-file {scaffolding.SECRETS}/{VARIABLES} up --build"
    after = (
        "docs/deploy.md#new-secrets tells how services take them" if services else f"`{command}`"
    )
    console().print(f"Next: {after}", soft_wrap=True)


def _first(folder: Path, *, force: bool) -> dict[str, str]:
    """All secrets and variables; where there are some, only if that was asked for."""
    from lakeshelf.cli.platform import scaffolding, whole

    content = scaffolding.compose_files()
    if (existing := whole.existing(folder, map(Path, content))) and not force:
        raise ConfigurationError(
            f"{existing[0]} is there already; nothing was written",
            hint="a database that runs knows the old password; write new ones with --force, or those of one "
            "service with --renew",
        )
    return content


def _renewed(folder: Path, services: list[str]) -> dict[str, str]:
    """Secrets of some services, which have theirs already."""
    from lakeshelf.cli.platform import scaffolding, whole

    content = scaffolding.compose_secrets(
        *(chosen("service with secrets", service, scaffolding.SERVICES) for service in services)
    )
    existing = set(whole.existing(folder, map(Path, content)))
    if absent := sorted(folder / name for name in content if folder / name not in existing):
        raise ConfigurationError(
            f"{absent[0]} is not there, so nothing is renewed",
            hint="run `lakeshelf init compose`, with --force where some of its files are there",
        )
    return content


def _compose_home() -> Path:
    """The checkout, whose Compose file it is: elsewhere, nobody would use the secrets, and Git might keep them."""
    from lakeshelf.cli.platform.scaffolding import SECRETS

    home = access.plain().home
    file = home / COMPOSE_FILE
    problem = "" if file.is_file() else f"there is no {COMPOSE_FILE} in {home}"
    if not problem and f"./{SECRETS}/" not in file.read_text(encoding="utf-8", errors="replace"):
        problem = f"{file} is another's: it uses nothing of {SECRETS}/"
    if problem:
        raise ConfigurationError(
            problem, hint="set LAKESHELF_HOME to the checkout, or name a project ./compose"
        )
    return home


def check(*, as_json: AsJson = False) -> None:
    """Examine what is declared: settings, environment of containers, project, contract, jobs, components, datasets."""
    from lakeshelf.stack.observing import checking, doctor

    print_diagnoses(doctor.examine(access.plain(), checking.EXAMINATIONS), as_json=as_json)
