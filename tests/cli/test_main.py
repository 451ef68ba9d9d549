from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import lakeshelf
from lakeshelf.cli import main
from tests.cli.commands import PATHS

HEAVY = ("confluent_kafka", "deltalake", "duckdb", "pandas", "pyarrow", "pyspark")
RUNNING = {"jobs run", "jobs submit", "components run", "run", "ui", "sql"}
"""Commands that run until they are stopped, or print what was asked for."""


def test_the_command_line_imports_nothing_heavy_before_a_command_runs():
    code = f"import sys, lakeshelf.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    environ = {**os.environ, "PYTHONPATH": str(Path(lakeshelf.__file__).parents[1])}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == "[]"


def test_no_command_shows_the_help(lakeshelf):
    result = lakeshelf()
    assert result.code == 0
    assert "Usage: lakeshelf" in result.out


@pytest.mark.parametrize("command", PATHS)
def test_every_command_has_help(lakeshelf, command):
    result = lakeshelf(*command.split(), "--help")
    assert result.code == 0
    assert f"lakeshelf {command}" in result.out


@pytest.mark.parametrize("command", PATHS)
def test_no_help_is_cut_in_a_narrow_terminal(lakeshelf, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert "…" not in lakeshelf(*command.split(), "--help").out


@pytest.mark.parametrize("command", sorted(set(PATHS) - RUNNING))
def test_every_command_that_reports_has_json(lakeshelf, command):
    assert "--json" in lakeshelf(*command.split(), "--help").out


@pytest.mark.parametrize("command", ["jobs list", "tables", "topics", "quarantine list"])
def test_every_list_has_a_limit(lakeshelf, command):
    assert "--limit" in lakeshelf(*command.split(), "--help").out


def test_the_version_is_printed(lakeshelf):
    assert lakeshelf("--version").out.startswith("lakeshelf ")


def test_an_unknown_command_is_one_line_with_its_neighbour(lakeshelf):
    result = lakeshelf("statsu")
    assert result.code == 2
    assert "statsu" in result.error
    assert "status" in result.error


def test_an_unknown_option_is_one_line_with_the_help_command(lakeshelf):
    result = lakeshelf("tables", "--jsn")
    assert result.code == 2
    assert "--jsn" in result.error
    assert "lakeshelf tables --help" in result.error


def test_a_value_out_of_range_is_refused(lakeshelf):
    result = lakeshelf("tables", "--limit", "0")
    assert result.code == 2
    assert "--limit" in result.error


@pytest.fixture
def broken(monkeypatch) -> typer.Typer:
    """A command line with commands that fail in ways nobody foresaw."""
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command("bug")
    def bug() -> None:
        raise ZeroDivisionError("seven by zero\nand more")

    @app.command("interrupted")
    def interrupted() -> None:
        raise KeyboardInterrupt

    app.callback()(main.main)
    monkeypatch.setattr(main, "app", app)
    return app


@pytest.mark.usefixtures("broken")
def test_an_unexpected_failure_is_one_line_that_names_debug(lakeshelf):
    result = lakeshelf("bug")
    assert result.code == 1
    told = r"error: unexpected ZeroDivisionError in test_main\.py:\d+: seven by zero; run again with --debug"
    assert re.fullmatch(told, result.error)


@pytest.mark.usefixtures("broken")
def test_debug_shows_the_traceback_wherever_it_stands(lakeshelf):
    result = lakeshelf("bug", "--debug")
    assert result.code == 1
    assert "Traceback" in result.err


@pytest.mark.usefixtures("broken")
def test_an_interrupted_command_ends_with_130(lakeshelf):
    assert lakeshelf("interrupted").code == 130


def test_the_lake_option_beats_the_environment(lakeshelf, tmp_path: Path):
    assert (
        str(tmp_path / "other") in lakeshelf("--lake", tmp_path / "other", "config", "--json").out
    )
