"""Python files that are run by their path: apps of the checkout and of a project, and their contracts."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from lakeshelf.errors import ConfigurationError, first_line

MAIN = b'if __name__ == "__main__":'


def load(file: Path) -> ModuleType:
    """The module of a file, run once; it has the file's name, or its whole path where another module has that.

    Raises:
        ConfigurationError: The file cannot be read, or its code fails; with line and cause.
    """
    by_path = str(file.resolve())
    for name in (file.stem, by_path):
        known = sys.modules.get(name)
        if known is None:
            return _run(file, name)
        if getattr(known, "__file__", None) in {str(file), by_path}:
            return known
    raise ConfigurationError(f"{file} is loaded by another name", hint="rename it")


def is_program(file: Path, declared: str) -> bool:
    """Whether a file only runs by itself: it has a main, and nowhere the name for which others would load it."""
    try:
        code = file.read_bytes()
    except OSError:
        return False  # who loads it is told why that fails
    return MAIN in code and declared.encode() not in code


def run(file: Path) -> ModuleType:
    """The module of a file that nobody imports, run anew.

    Raises:
        ConfigurationError: As for `load`.
    """
    name = str(file.resolve())
    module = _run(file, name)
    del sys.modules[name]
    return module


def _run(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{file} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # code of others raises whatever there is
        del sys.modules[name]
        cause = f"{type(error).__name__}: {first_line(error)}"
        raise ConfigurationError(
            f"{file}{_line(file, error)}: {cause}", hint="correct it"
        ) from error
    return module


def _line(file: Path, error: BaseException) -> str:
    """`:LINE` of the file at which it failed; empty when it was never entered."""
    if isinstance(error, SyntaxError) and error.filename == str(file):
        return f":{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return f":{lines[-1]}" if lines else ""
