"""What is printed fits the terminal, and names commands that work as they stand."""

from __future__ import annotations

import io
import re
import shlex

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.cli import main
from lakeshelf.cli.console import access, placing
from lakeshelf.cli.console.access import GlobalOptions
from lakeshelf.cli.console.output import add, grid
from lakeshelf.cli.console.terminal import Terminal
from tests.cli.commands import PATHS, commands

WORDS = st.text(alphabet="abcdefghij-:{}'", min_size=1, max_size=12)
CELLS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
TABLES = st.integers(1, 6).flatmap(
    lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=4)
)
NAMED = re.compile(r"`(lakeshelf [^`]+)`")


def printed(table: list[list[str]], width: int, *, terminal: bool = True) -> str:
    file = io.StringIO()
    shown = grid(*(f"c{number}" for number in range(len(table[0]))))
    for row in table:
        add(shown, *row)
    Terminal(file=file, width=width, force_terminal=terminal, color_system=None).print(shown)
    return file.getvalue()


@given(TABLES, st.integers(24, 90))
def test_no_word_of_a_table_is_broken_and_no_line_is_wider_than_the_terminal(table, width):
    text = printed(table, width)
    assert max(map(len, text.splitlines())) <= width
    missing = {word for row in table for cell in row for word in cell.split()} - set(text.split())
    assert not missing


@given(TABLES)
def test_a_row_is_one_line_where_no_terminal_sets_a_width(table):
    lines = printed(table, 20, terminal=False).splitlines()
    assert len(lines) == 1 + len(table)
    assert [line.split() for line in lines[1:]] == [" ".join(row).split() for row in table]


def test_a_table_that_is_too_wide_is_printed_record_by_record():
    text = printed([["2026-05-01T06:00:00Z", "x" * 20], ["b", "c"]], 30)
    assert [line.rstrip() for line in text.splitlines()] == [
        "-- 1 --",
        "c0  2026-05-01T06:00:00Z",
        "c1  " + "x" * 20,
        "-- 2 --",
        "c0  b",
        "c1  c",
    ]


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("folder", ["other", "with space", "größe"])
def test_a_command_that_is_named_next_carries_the_lake_that_was_given(
    lakeshelf, tmp_path, folder, where
):
    given_lake = ("--lake", tmp_path / folder)
    asked = ("alerts", "list")
    failed = lakeshelf(*given_lake, *asked) if where == "before" else lakeshelf(*asked, *given_lake)
    assert failed.code == 1
    named = NAMED.findall(failed.error)
    assert named
    for command in named:
        assert shlex.split(command)[1:3] == list(map(str, given_lake))


def test_a_lake_of_the_environment_or_of_the_settings_file_holds_for_the_next_command_as_well(
    lakeshelf, lake, monkeypatch, tmp_path
):
    assert "`lakeshelf bootstrap`" in lakeshelf("alerts", "list").error
    assert "`lakeshelf bootstrap`" in lakeshelf("--lake", lake, "alerts", "list").error
    monkeypatch.delenv("LAKESHELF_LAKE_ROOT")
    (tmp_path / "lakeshelf.toml").write_text(f"lake_root = '{tmp_path / 'filed'}'")
    monkeypatch.setenv("LAKESHELF_CONFIG", str(tmp_path / "lakeshelf.toml"))
    assert "`lakeshelf bootstrap`" in lakeshelf("alerts", "list").error
    monkeypatch.setenv("DELTA_ROOT", str(tmp_path / "aliased"))
    assert "`lakeshelf bootstrap`" in lakeshelf("alerts", "list").error
    assert (
        f"`lakeshelf --lake {lake} bootstrap`" in lakeshelf("alerts", "list", "--lake", lake).error
    )


@pytest.mark.slow
def test_advice_that_is_no_error_carries_the_lake_as_well(lakeshelf, tmp_path):
    shown = lakeshelf("--lake", tmp_path, "doctor")
    named = NAMED.findall(shown.out)
    assert named
    assert {shlex.split(command)[2] for command in named} == {str(tmp_path)}


def test_help_and_other_programs_are_left_as_they_are():
    access.use(GlobalOptions(lake="/x"))
    sentence = "see `lakeshelf lake --help`, `lakeshelf --version` or `make setup`"
    assert access.completed(sentence) == sentence


def test_every_command_takes_the_lake_and_debug():
    top = placing.everywhere(typer.main.get_command(main.app))
    for path, command in commands(top):
        taken = {option for parameter in command.params for option in parameter.opts}
        assert {"--lake", "--debug"} <= taken, path


def test_an_empty_lake_is_not_the_default_one(lakeshelf, lake):
    for arguments in (("--lake", "", "tables"), ("tables", "--lake=")):
        refused = lakeshelf(*arguments)
        assert refused.code == 2
        assert "--lake" in refused.error
    assert not lake.exists()


@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_option_is_refused_with_its_neighbour(lakeshelf, lake, path):
    refused = lakeshelf(*path.split(), "--deubg")
    assert refused.code == 2
    assert "--deubg" in refused.error
    assert "--debug" in refused.error
    assert not lake.exists()


@pytest.mark.parametrize("path", [p for p in PATHS if " " in p])
def test_an_unknown_command_of_a_group_is_refused_with_its_neighbour(lakeshelf, path):
    *groups, name = path.split()
    refused = lakeshelf(*groups, f"{name[:-1]}x{name[-1]}")
    assert refused.code == 2
    assert f"Did you mean '{name}'" in refused.error.replace('"', "'")
