"""Finds the jobs: every folder below `spark-apps/` whose module declares a `JOB`."""

from __future__ import annotations

import difflib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from lakeshelf.errors import ConfigurationError
from lakeshelf.streams.declare.job import Job, validate


def discover(home: Path) -> dict[str, Job]:
    """All jobs of the checkout by name.

    Raises:
        ConfigurationError: No `spark-apps/` there, or a declaration that names what no contract declares.
    """
    folder = home / "spark-apps"
    if not folder.is_dir():
        raise ConfigurationError(
            f"no spark-apps/ in {home}", hint="set LAKESHELF_HOME to the checkout"
        )
    modules = (load(file) for file in sorted(folder.glob("*/*.py")))
    jobs = (module.JOB for module in modules if hasattr(module, "JOB"))
    return {job.name: validate(job) for job in jobs}


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


def load(file: Path) -> ModuleType:
    """The module of an app; its name is unique over the checkout, so it is imported once."""
    name = file.stem
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
