# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""The prompt of `lakeshelf sql`: statements of several lines, and commands of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.interrupts import interruptible
from lakeshelf.cli.console.output import console, errors, rows
from lakeshelf.cli.data.lake_options import dataset
from lakeshelf.errors import ConfigurationError, LakeshelfError

if TYPE_CHECKING:
    from lakeshelf.lake import Lake

PROMPT, MORE = "lakeshelf> ", "      ...> "
LEAVE = ("quit", "exit", "\\q")
HELP = ("help", "\\?", "\\h")
DESCRIBE = "\\d"
COMMANDS = {
    "help, \\?": "show this",
    "\\d": "list the tables and what they hold",
    "\\d TABLE": "list the columns of a table: type, unit, meaning",
    "quit, exit, \\q": "leave, as Ctrl-D does",
    "Ctrl-C": "clear what is typed, or stop the statement that runs",
    "SELECT …;": "a statement of any number of lines, up to its semicolon",
}
HISTORY_LINES = 1000


class Prompt:
    """Asks for statements and commands until the input ends.

    Args:
        lake: What the commands tell of.
        answer: Answers a statement.
        history: File that keeps what was typed, where the terminal can edit lines.
    """

    def __init__(self, lake: Lake, answer: Callable[[str], object], history: Path) -> None:
        self._lake, self._answer, self._history = lake, answer, history

    def run(self) -> None:
        """Ask and answer; an error or an interrupted statement ends neither."""
        errors().print(
            "read-only SQL; end a statement with ; and the session with Ctrl-D; see help"
        )
        with _history(self._history), interruptible():
            while (text := _typed()) is not None and _command(text) not in LEAVE:
                try:
                    self._obey(text)
                except LakeshelfError as error:
                    errors().print(f"error: {error}", style="red")
                except KeyboardInterrupt:
                    errors().print("interrupted")

    def _obey(self, text: str) -> None:
        command = _command(text)
        if command in HELP:
            commands = [{"command": name, "does": meaning} for name, meaning in COMMANDS.items()]
            console().print(rows(commands))
        elif command == DESCRIBE:
            name = text.strip(" ;").partition(" ")[2].strip()
            console().print(
                rows(columns(self._lake, dataset(name)) if name else tables(self._lake))
            )
        elif command.startswith("\\"):
            raise ConfigurationError(f"no command {command}", hint="\\? lists them")
        elif text.strip(" ;\n"):
            self._answer(text)


def tables(lake: Lake) -> list[dict[str, Any]]:
    """Tables and views of the lake: name in SQL, and what they hold."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.query.views import readable

    existing = set(lake.names())
    return [
        {
            "table": name.replace("/", "."),
            "holds": (lake.dataset(name) if name in existing else CATALOG.views[name]).doc,
        }
        for name in readable(lake)
    ]


def columns(lake: Lake, name: str) -> list[dict[str, Any]]:
    """Columns of a table or view: name, type, unit, meaning, as the contract or the table itself says.

    Raises:
        NotFound: No such table; its neighbours are named.
    """
    from lakeshelf.contracts import CATALOG, arrow
    from lakeshelf.lake.form.kinds import sql_name
    from lakeshelf.lake.rows import tables as lake_tables

    view = None if lake_tables.exists(lake.root, name) else CATALOG.views.get(name)
    declared = view or CATALOG.tables.get(name)
    fields = {field.name: field for field in declared.columns} if declared else {}
    return [
        {
            "column": column.name,
            "type": sql_name(column.type),
            "unit": fields[column.name].unit if column.name in fields else "",
            "meaning": fields[column.name].doc if column.name in fields else _comment(column),
        }
        for column in (arrow.schema(view.columns) if view else lake.snapshot(name).schema)
    ]


def _comment(column: Any) -> str:
    return ((column.metadata or {}).get(b"comment") or b"").decode(errors="replace")


def _command(text: str) -> str:
    """The first word of what was typed."""
    return next(iter(text.strip(" ;\n").lower().split()), "")


def _is_command(line: str) -> bool:
    words = line.strip(" ;").lower().split()
    return line.lstrip().startswith("\\") or (len(words) == 1 and words[0] in (*LEAVE, *HELP))


def _typed() -> str | None:
    """A command of one line, or what is typed up to a semicolon; None: the input has ended."""
    lines: list[str] = []
    while not lines or not lines[-1].rstrip().endswith(";"):
        try:
            lines.append(input(MORE if lines else PROMPT))
        except EOFError:
            errors().print("")
            return None
        except KeyboardInterrupt:
            errors().print("")
            lines.clear()
        if len(lines) == 1 and (_is_command(lines[0]) or not lines[0].strip()):
            break
    return "\n".join(lines)


@contextmanager
def _history(file: Path) -> Iterator[None]:
    """Lines that can be edited and come again, where there is a library for it and a place to keep them."""
    try:
        import readline
    except ImportError:
        yield
        return
    with suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(HISTORY_LINES)
    yield
    with suppress(OSError):
        file.touch(mode=0o600)
        readline.write_history_file(file)
