"""The wheel with nothing but its base dependencies: the library works, and what it lacks it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
LOCK = HOME / "requirements.lock"
UV = [sys.executable, "-m", "uv"]
ABSENT = (
    "confluent_kafka",
    "datafusion",
    "duckdb",
    "ibis",
    "msgspec",
    "orjson",
    "pandas",
    "polars",
    "pyspark",
)
SHOP = "kafka,query,replay,spark"
LACKING = {
    "up": SHOP,
    "status": SHOP,
    "demo": SHOP,
    "tables": SHOP,
    "quarantine list": SHOP,
    "trace S1-I1": SHOP,
    "files scan": "files",
}
"""Command → what it asks for where no extra is installed."""
pytestmark = [pytest.mark.slow, pytest.mark.setup, pytest.mark.timeout(600)]


class Installed:
    """A virtual environment with the wheel.

    Args:
        folder: Of the environment, and of what runs in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lake").mkdir()
        self._bin = folder / "venv" / "bin"
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("LAKESHELF_", "PYTHON"))}
        self._environ = {**kept, "LAKESHELF_LAKE_ROOT": str(folder / "lake"), "COLUMNS": "200"}

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self._bin / program), *arguments],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, code: str) -> str:
        done = self.run("python", "-W", "error", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lakeshelf(self, *arguments: str) -> str:
        done = self.run("lakeshelf", *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout


def succeeds(*command: str) -> None:
    # The machine's certificates count, as in the Makefile.
    environ = {"UV_SYSTEM_CERTS": "true", **os.environ}
    done = subprocess.run(
        command, cwd=HOME, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    succeeds(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder))
    (wheel,) = folder.glob("lakeshelf-*.whl")
    venv = folder / "venv"
    succeeds(*UV, "venv", "--quiet", "--python", sys.executable, str(venv))
    into = ("--python", str(venv / "bin" / "python"))
    succeeds(*UV, "pip", "install", "--quiet", *into, "--constraint", str(LOCK), str(wheel))
    return Installed(folder)


def example() -> str:
    (block,) = re.findall(
        r"```python\n(.*?)```", (HOME / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    return block


def test_no_extra_comes_along(installed: Installed) -> None:
    code = f"import importlib.util as i; print([m for m in {ABSENT!r} if i.find_spec(m)])"
    assert installed.python(code).strip() == "[]"


def test_every_version_is_that_of_the_lock(installed: Installed) -> None:
    code = (
        "import importlib.metadata as m, json;"
        "print(json.dumps({d.name.lower().replace('_', '-'): d.version for d in m.distributions()}))"
    )
    found = json.loads(installed.python(code))
    # The lock may have a version of its own for each Python.
    locked = re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", LOCK.read_text("utf-8"), re.MULTILINE)
    assert found.pop("lakeshelf")
    assert set(found.items()) <= set(locked)
    assert "deltalake" in found


def test_the_example_of_the_readme_works(installed: Installed) -> None:
    assert installed.python(example()).splitlines() == [
        "2 ann stocktaking",
        "[{'shelf': 'A1', 'units': 12}]",
    ]
    listed = json.loads(installed.lakeshelf("--lake", "my-lake", "lake", "ls", "--json"))
    assert [(line["dataset"], line["version"], line["key"]) for line in listed] == [
        ("curated/counts", 2, "shelf")
    ]
    assert "stocktaking" in installed.lakeshelf(
        "--lake", "my-lake", "lake", "history", "curated.counts"
    )


def test_the_command_line_says_what_it_is_and_can(installed: Installed) -> None:
    assert installed.lakeshelf("--version").startswith("lakeshelf ")
    assert "lake" in installed.lakeshelf("--help")
    assert "shelf_id" in installed.lakeshelf("contracts", "show", "cleansed/shelf_state")


@pytest.mark.parametrize("command", LACKING)
def test_a_command_names_the_extra_that_it_lacks(installed: Installed, command: str) -> None:
    lacks_in_one_line(installed.run("lakeshelf", *command.split()), LACKING[command])


def test_sql_names_the_extra_that_it_lacks(installed: Installed) -> None:
    lacks_in_one_line(installed.run("lakeshelf", "sql", "SELECT 1"), "query")


def lacks_in_one_line(done: subprocess.CompletedProcess[str], extra: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        rf"error: \w+ is not installed; run `pip install 'lakeshelf\[{extra}\]'`\n", done.stderr
    ), done.stderr
