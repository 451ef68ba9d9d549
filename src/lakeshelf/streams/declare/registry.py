"""Finds the jobs: every folder below `spark-apps/` whose module declares a `JOB`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from lakeshelf import modules
from lakeshelf.contracts import project
from lakeshelf.errors import ConfigurationError, ContractError
from lakeshelf.streams.declare.job import Job, validate

ROOM = project.JOBS


def discover(home: Path, *projects: Path) -> dict[str, Job]:
    """All jobs of the checkout, and behind them those of a project, by name.

    Args:
        home: The checkout.
        projects: Folders whose jobs are there beside the product's.

    Raises:
        ConfigurationError: No `spark-apps/` in the checkout, an app that cannot be loaded, two jobs of a name, or a
            declaration that names what no contract declares.
    """
    folder = home / ROOM
    if not folder.is_dir():
        raise ConfigurationError(
            f"no spark-apps/ in {home}", hint="set LAKESHELF_HOME to the checkout"
        )
    own = (replace(job, own=True) for folder in projects for job in _jobs(folder / ROOM))
    known: dict[str, Job] = {}
    for job in (*_jobs(folder), *own):
        if job.name in known:
            raise ConfigurationError(f"there are two jobs {job.name}", hint="rename yours")
        known[job.name] = _valid(job)
    return known


def _valid(job: Job) -> Job:
    try:
        return validate(job)
    except ContractError as error:
        raise ConfigurationError(f"job {job.name}: {error.message}", hint=error.hint) from error


def _jobs(folder: Path) -> Iterator[Job]:
    files = (file for file in sorted(folder.glob("*/*.py")) if file.name != project.FILE)
    apps = (modules.load(file) for file in files if not modules.is_program(file, "JOB"))
    yield from (app.JOB for app in apps if hasattr(app, "JOB"))


def select(jobs: dict[str, Job], names: Iterable[str]) -> tuple[Job, ...]:
    """The named jobs; all of them when none is named.

    Raises:
        ConfigurationError: An unknown name; its neighbours are listed.
    """
    selected = tuple(dict.fromkeys(names)) or tuple(jobs)
    for name in selected:
        if name not in jobs:
            near = difflib.get_close_matches(name, jobs, n=3) or sorted(jobs)
            raise ConfigurationError(
                f"no job {name!r}",
                hint=f"did you mean {', '.join(near)}? see `lakeshelf jobs list`",
            )
    return tuple(jobs[name] for name in selected)
