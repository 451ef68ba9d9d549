"""The prompt of `lakeshelf sql`, typed at on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.support import eventually

ENDLESS = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b;\n"
INTERRUPT, END = "\x03", "\x04"
TAKEN_BY_ANOTHER_THREAD = """
import pathlib, re, readline, signal, threading
from lakeshelf.cli.console.interrupts import interruptible

def take():
    while not re.search("poll|select", pathlib.Path("/proc/self/wchan").read_text()):
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

with interruptible():
    threading.Thread(target=take, daemon=True).start()
    try:
        input("key? ")
    except KeyboardInterrupt:
        print("interrupted")
"""
CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A program on a terminal of its own.

    Args:
        lake: Root of the lake.
        command: What Python runs on it.
    """

    def __init__(self, lake: Path, command: list[str]) -> None:
        self._end, end = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", sys.executable, *command],
            stdin=end,
            stdout=end,
            stderr=end,
            env=os.environ | {"TERM": "dumb", "LAKESHELF_CACHE_DIR": str(lake)},
        )
        os.close(end)
        os.set_blocking(self._end, False)
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self._end, text.encode())

    def wait_for(self, wanted: str) -> str:
        """What was printed since the last time, up to what is wanted."""
        eventually(lambda: wanted in self._read(), f"{wanted!r} in {self.text!r}")
        found, _, self.text = self.text.partition(wanted)
        return found

    def wait_busy(self) -> None:
        """Wait until it computes."""
        before = self._ticks()
        eventually(lambda: self._ticks() > before + 100, "it computes")

    def wait_idle(self) -> None:
        """Wait until it waits for a key: readline overlooks Ctrl-C while it still takes one."""
        eventually(lambda: self._stat()[0] == "S", "it waits for a key")

    def _ticks(self) -> int:
        return int(self._stat()[11])

    def _stat(self) -> list[str]:
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()

    def _read(self) -> str:
        with suppress(OSError):
            self.text += CONTROL.sub("", os.read(self._end, 65536).decode(errors="replace"))
        return self.text


@pytest.fixture
def prompt(lake: Path) -> Iterator[Terminal]:
    Lake(lake).append("sales/lines", [{"id": 1, "item": "tea"}])
    tables.ensure(lake, CATALOG.tables["cleansed/shelf_state"])
    opened = Terminal(lake, ["-m", "lakeshelf.cli.main", "--lake", str(lake), "sql"])
    opened.wait_for("lakeshelf> ")
    yield opened
    opened.process.kill()
    opened.process.wait()


@pytest.mark.slow
def test_ctrl_c_clears_the_line_and_stops_a_statement_and_ctrl_d_leaves(
    prompt: Terminal, lake: Path
) -> None:
    prompt.type("SELECT nonsense")
    prompt.wait_for("nonsense")
    prompt.wait_idle()
    prompt.type(INTERRUPT)
    prompt.wait_for("lakeshelf> ")
    prompt.type("SELECT 40 +\n2 AS answer;\n")
    assert "42" in prompt.wait_for("1 row")
    prompt.wait_for("lakeshelf> ")
    prompt.type(ENDLESS)
    prompt.wait_busy()
    prompt.type(INTERRUPT)
    prompt.wait_for("interrupted")
    prompt.wait_for("lakeshelf> ")
    prompt.type("FROM sales.lines;\n")
    assert "tea" in prompt.wait_for("1 row")
    prompt.wait_for("lakeshelf> ")
    prompt.type(END)
    assert prompt.process.wait(60) == 0
    assert "FROM sales.lines;" in (lake / "sql_history").read_text(encoding="utf-8")


@pytest.mark.slow
def test_ctrl_c_ends_the_wait_for_a_key_whichever_thread_the_system_gives_it_to(
    lake: Path,
) -> None:
    terminal = Terminal(lake, ["-c", TAKEN_BY_ANOTHER_THREAD])
    terminal.wait_for("key? ")
    terminal.wait_for("interrupted")
    assert terminal.process.wait(60) == 0


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("help", ["\\d TABLE", "Ctrl-C"]),
        ("\\?", ["\\d TABLE"]),
        ("\\d", ["sales.lines", "cleansed.shelf_state"]),
        ("\\d sales.lines;", ["item", "string"]),
        (
            "\\d cleansed/shelf_state",
            ["current_stock", "bigint", "units", "One facing of one item"],
        ),
        ("\\d cleansed.shelf_stat", ["did you mean cleansed/shelf_state"]),
        ("\\x", ["no command \\x; \\? lists them"]),
        ("\\dt *.*", ["no command \\dt; \\? lists them"]),
    ],
)
def test_a_command_of_one_line_is_answered(lakeshelf, lake, monkeypatch, typed, told):
    out = _answered(lakeshelf, lake, monkeypatch, [typed, "quit"])
    assert [part for part in told if part not in out] == []


@pytest.mark.parametrize("leave", ["quit", "exit;", "\\q", "QUIT"])
def test_a_word_leaves(lakeshelf, lake, monkeypatch, leave):
    out = _answered(lakeshelf, lake, monkeypatch, [leave, "SELECT 'never asked';"])
    assert "never asked" not in out


def _answered(lakeshelf, lake: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str]) -> str:
    Lake(lake).append("sales/lines", [{"id": 1, "item": "tea"}])
    tables.ensure(lake, CATALOG.tables["cleansed/shelf_state"])
    lines = iter(typed)
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setenv("LAKESHELF_CACHE_DIR", str(lake))
    told = lakeshelf("sql")
    assert told.code == 0
    return str(told.out + told.err)
