"""Programs that write a page from result files: their options, and how the page is written or checked."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import RESULTS
from benchmarks.machine import home


def options_of(
    program: str, about: str | None, page: str, argv: Sequence[str] | None
) -> argparse.Namespace:
    """What a program was told: `check`, `results` and `page`, and its own name as `program`.

    Args:
        program: Its module.
        about: What it does.
        page: The page of the checkout that it writes.
        argv: The words behind its name; None: those of this process.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of result files")
    parser.add_argument("--page", type=Path, default=home() / page, help="page to write")
    parser.set_defaults(program=program)
    return parser.parse_args(argv)


def settled(options: argparse.Namespace, made: str) -> int:
    """Write the page, or with `--check` say whether it is as it would be written.

    Args:
        options: What the program was told.
        made: The page as it is now.

    Returns:
        The exit code.
    """
    page: Path = options.page
    if not options.check:
        page.write_text(made, encoding="utf-8")
        return 0
    if not page.is_file():
        return outdated(options, page, "not there")
    return 0 if page.read_text(encoding="utf-8") == made else outdated(options, page)


def outdated(options: argparse.Namespace, file: Path, fault: str = "out of date") -> int:
    """Say what is wrong with a file and how it is written anew; the exit code."""
    print(f"{file} is {fault}: run `python -m {options.program}`", file=sys.stderr)
    return 1
