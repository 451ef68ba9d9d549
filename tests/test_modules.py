"""A file that is run by its path is its own module, or is named with line and cause."""

from __future__ import annotations

import calendar
import sys
from pathlib import Path

import pytest

from lakeshelf import modules
from lakeshelf.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "line", "cause"),
    [
        ("import nothing_here\n", 1, "ModuleNotFoundError: No module named 'nothing_here'"),
        ("\n\nJOB = (\n", 3, "SyntaxError"),
        (
            "def job():\n    return 1 / 0\n\n\nJOB = job()\n",
            2,
            "ZeroDivisionError: division by zero",
        ),
        ("import json\n\njson.loads('{')\n", 3, "JSONDecodeError"),
        ("raise ValueError('one\\ntwo')\n", 1, "ValueError: one"),
        ("raise SystemExit(3)\n", 1, "SystemExit: 3"),
    ],
)
@pytest.mark.parametrize("way", [modules.load, modules.run])
def test_what_a_file_raises_is_told_with_its_line(
    tmp_path: Path, way: object, text: str, line: int, cause: str
) -> None:
    file = tmp_path / "broken_job.py"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        way(file)
    assert str(refused.value).startswith(f"{file}:{line}: {cause}")
    assert "\n" not in str(refused.value)
    assert "broken_job" not in sys.modules, "once mended it can be loaded"


def test_a_file_is_loaded_once_and_never_taken_for_a_module_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "calendar.py"
    file.write_text("RUNS = []\n")
    found = modules.load(file)
    assert found.RUNS == []
    assert modules.load(file) is found
    assert sys.modules["calendar"] is calendar


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ('def main(): ...\n\n\nif __name__ == "__main__":\n    main()\n', True),
        ('JOB = 1\n\n\nif __name__ == "__main__":\n    print(JOB)\n', False),
        ("import nothing_here\n", False),
    ],
)
def test_what_declares_something_or_has_no_main_is_no_mere_program(
    tmp_path: Path, text: str, program: bool
) -> None:
    file = tmp_path / "some_job.py"
    file.write_text(text)
    assert modules.is_program(file, "JOB") is program
    assert not modules.is_program(tmp_path / "not_there.py", "JOB")


def test_two_files_of_one_name_are_two_modules(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same_name_twice.py").write_text(f"NAME = {folder!r}\n")
    names = [modules.load(tmp_path / f / "same_name_twice.py").NAME for f in ("one", "two", "one")]
    assert names == ["one", "two", "one"]


def test_a_file_that_is_run_leaves_no_module(tmp_path: Path) -> None:
    file = tmp_path / "contract.py"
    file.write_text("TABLES = ()\n")
    before = set(sys.modules)
    assert modules.run(file).TABLES == ()
    assert modules.run(file) is not modules.run(file)
    assert set(sys.modules) == before
