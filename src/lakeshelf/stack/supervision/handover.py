"""What a process hands to a child that it starts: its settings, and its fate.

The settings go through the child's standard input, all of them, so that the child runs with exactly
these whatever its environment and files say, and no secret stands in a list of processes.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from pydantic import SecretStr

from lakeshelf import lean, logs
from lakeshelf.contracts import project
from lakeshelf.errors import ConfigurationError, LakeshelfError, first_line, refused
from lakeshelf.kafka.authentication import secrets
from lakeshelf.logs import log
from lakeshelf.settings import Settings

UntilPrepared = Callable[[], object]
"""Returns when a supervisor has said that topics and tables are there."""
PARTS = {"jobs": "streams", "components": "components", "api": "api", "worker": "worker"}
"""What a process runs → its name in the log."""
LARGEST_LOG = 10 * 1024 * 1024
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=200"}
"""DuckDB allocates and frees thousands of small blocks for each statement; seven of a size are kept by default."""
_PR_SET_PDEATHSIG = 1
_PASSWORD = re.compile(r"//[^/@:]*:([^@]+)@")


def start(
    module: str, arguments: Sequence[str], settings: Settings, log: Path
) -> subprocess.Popen[bytes]:
    """Start `python -m module` in a session of its own, with these settings.

    Args:
        module: A module whose `main` calls `receive`.
        arguments: Its arguments.
        settings: What it shall run with.
        log: File that takes what it prints; begun anew when it has grown large.
    """
    rotate(log)
    with log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=ALLOCATOR | os.environ,
        )
    say(child.stdin, dumped(settings))
    return child


def say(pipe: IO[bytes] | None, line: str) -> None:
    """Write a line to a child; one that has ended hears nothing."""
    try:
        if pipe is not None:
            pipe.write(line.encode() + b"\n")
            pipe.flush()
    except BrokenPipeError:
        pass


def main(
    argv: Sequence[str] | None,
    parts: str,
    run: Callable[[Settings, list[str], UntilPrepared], None],
) -> int:
    """Be a process that runs named parts of the product, alone or under a supervisor; the exit code.

    Args:
        argv: Command line: names of parts, and the supervisor that hands the settings over.
        parts: What the names are names of, in the plural.
        run: Runs the parts; called with the settings, the names and what returns when topics and tables
            are there.
    """
    lean.without(lean.PANDAS)
    parser = argparse.ArgumentParser(description=f"Runs {parts}.")
    parser.add_argument(
        f"--{parts}", dest="names", default="", help="separated by commas; none: all"
    )
    parser.add_argument(
        "--supervised", type=int, metavar="PID", help="the supervisor; settings come on stdin"
    )
    options = parser.parse_args(argv)
    names = [name for name in options.names.split(",") if name]
    part = PARTS[parts]
    try:
        if options.supervised is None:
            settings = project.load()
            begin_log(part, settings, printed=True)
            run(settings, names, lambda: None)
        else:
            die_with(options.supervised)
            settings = receive()
            begin_log(part, settings)
            run(settings, names, sys.stdin.readline)
    except Exception as error:  # noqa: BLE001 - a process ends with one line, whatever it was
        return ended(error)
    return 0


def begin_log(part: str, settings: Settings, *, printed: bool = False) -> None:
    """Have this process log as settings say: into the folder of the stack's logs, or to stderr."""
    logs.begin(
        part,
        None if printed else settings.stack_dir / "logs",
        level=settings.log_level,
        secrets=_secrets(settings),
    )


def _secrets(settings: Settings) -> Iterator[str]:
    """What must not be read in a log: secrets of settings, and what their files hold."""
    values = (getattr(settings, name) for name in type(settings).model_fields)
    yield from (value.get_secret_value() for value in values if isinstance(value, SecretStr))
    yield from secrets(settings)
    with suppress(ConfigurationError):  # whoever needs the file tells of it
        place = settings.governance_place
        if isinstance(place, str):
            yield place
            yield from (form(word) for word in _PASSWORD.findall(place) for form in (str, unquote))


def receive() -> Settings:
    """The settings that the parent handed over, and in the catalogue what their project declares."""
    return project.load(**json.loads(sys.stdin.readline()))


def dumped(settings: Settings) -> str:
    """All settings as one line of JSON, secrets included."""
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in values.items()
    }
    return json.dumps(plain, default=str)


def die_with(parent: int) -> None:
    """Have Linux send this process SIGTERM when its parent ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
        if os.getppid() != parent:
            sys.exit(1)


def rotate(log: Path) -> None:
    """Put a log that has grown large aside; the one before it goes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))


def last_error(log: Path, start: int) -> str:
    """The last line `error: …` that a child wrote after byte `start`; empty when there is none."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return next((line[7:] for line in reversed(lines) if line.startswith("error: ")), "")


def size(log: Path) -> int:
    """Bytes of a log that may not be there yet."""
    return log.stat().st_size if log.exists() else 0


def ended(error: Exception) -> int:
    """Print what ended a process as one line on stderr; its exit code."""
    text = _said(error)
    if not (text and logs.is_printed()):
        log.error("process ended", error=text or first_line(error), exc_info=error)
    text = text or f"unexpected {type(error).__name__}: {first_line(error)}"
    sys.stderr.write(f"error: {text}\n")
    return error.exit_code if isinstance(error, LakeshelfError) else 1


def _said(error: Exception) -> str:
    """What failed, and what to do; empty where nobody has thought of it."""
    if isinstance(error, LakeshelfError):
        return str(error)
    if isinstance(error, OSError) and error.filename:
        return "; ".join(filter(None, refused(error)))
    return ""
