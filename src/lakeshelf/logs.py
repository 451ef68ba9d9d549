"""The log: what each process of a stack did, one JSON object a line; `lakeshelf logs` shows it.

| field | meaning |
|---|---|
| `at` | time, UTC |
| `level` | `debug`, `info`, `warning`, `error` |
| `event` | what happened, in words that do not change |
| `part` | the process: `supervisor`, `streams`, `components` |
| `run_id` | one start of a process: another number is another process |
| `query`, `component`, `batch_id`, `table`, `version`, `request_id` | where they apply |
| `exception` | the traceback of a failure |

A process that never calls `begin` logs nothing: the library is quiet unless a program gives the logger `lakeshelf` a
handler.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import uuid
from collections.abc import Iterable, Mapping, MutableMapping
from logging.handlers import RotatingFileHandler
from pathlib import Path
from textwrap import indent
from typing import Any

from lakeshelf import lean
from lakeshelf.addresses import without_secrets

with lean.lacking("rich", "rich.traceback"):  # a command has loaded the first, not the second
    import structlog

NAME, SUFFIX = "lakeshelf", ".jsonl"
LARGEST, KEPT = 10 * 1024 * 1024, 3
"""Bytes after which a file is put aside, and how many are kept so."""
LEVELS = ("debug", "info", "warning", "error")
MASK = "***"
BELOW = "  "
"""What lines of a traceback begin with."""
FIRST = ("at", "level", "part", "event")
"""Fields that every line has; others follow them."""
RUN = "run_id"
"""Field that every line has and that people are not shown."""

Fields = MutableMapping[str, Any]


class _Process:
    """What holds for every line of this process."""

    part = ""
    run_id = ""
    is_printed = False
    secrets: tuple[str, ...] = ()
    """The longest first: of one that begins with another, nothing is to be left."""

    def __call__(self, _logger: object, _method: str, fields: Fields) -> Fields:
        return {"part": self.part, RUN: self.run_id, **fields}

    def masked(self, _logger: object, _method: str, rendered: Any) -> str:
        """A line without what must not be read."""
        line = str(rendered)
        for secret in self.secrets:
            line = line.replace(secret, MASK)
        return without_secrets(line, os.environ)


_process = _Process()
_logger = logging.getLogger(NAME)
_logger.addHandler(logging.NullHandler())

log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    _logger,
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _process,
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
        _process.masked,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
)
"""Where every module of the product says what it did: `log.info("batch committed", query=…, batch_id=…)`."""


def begin(
    part: str, folder: Path | None = None, *, level: str = "info", secrets: Iterable[str] = ()
) -> None:
    """Have this process log.

    Args:
        part: Its name.
        folder: Where its file lies; None: it prints to stderr, for people on a terminal, else as JSON.
        level: Lines below it are left out.
        secrets: Words that are masked wherever they would stand.
    """
    words = [word for word in secrets if word]
    written = (json.dumps(word, ensure_ascii=False)[1:-1] for word in words)
    _process.run_id = str(uuid.uuid4())
    _process.part = part
    _process.secrets = tuple(sorted({*words, *written}, key=len, reverse=True))
    _process.is_printed = folder is None
    handler = _printed() if folder is None else _kept(folder / f"{part}{SUFFIX}")
    _logger.handlers[:] = [handler]
    _logger.setLevel(level.upper())
    _logger.propagate = False


def run_id() -> str:
    """What tells this start of the process from others; empty before `begin`."""
    return _process.run_id


def masked(text: str) -> str:
    """A text without what must not be read, for whoever sends it elsewhere."""
    return _process.masked(None, "", text)


def is_printed() -> bool:
    """Whether people read this process's log where they read its errors."""
    return _process.is_printed


def as_text(fields: Mapping[str, Any]) -> str:
    """A line of the log for people; a traceback stands below it, indented: no text of others begins a line."""
    others = dict(fields)
    at, level, part, event = (str(others.pop(name, None) or "") for name in FIRST)
    trace = str(others.pop("exception", "")).rstrip()
    pairs = " ".join(f"{name}={value}" for name, value in others.items() if name != RUN)
    seconds = at[:19].replace("T", " ")
    first = f"{seconds:19} {level:7} {part:10} {event} {pairs}".rstrip().replace("\n", r"\n")
    return "\n".join(filter(None, (first, indent(trace, BELOW))))


def _kept(file: Path) -> logging.Handler:
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(
        file,
        maxBytes=LARGEST,
        backupCount=KEPT,
        encoding="utf-8",
        errors="backslashreplace",  # of names of files that are no text
        delay=True,
    )
    handler.setFormatter(logging.Formatter("%(message)s"))
    return handler


def _printed() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(_ForPeople())
    return handler


class _ForPeople(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """A line of the log as people read it."""
        return as_text(json.loads(record.getMessage()))
