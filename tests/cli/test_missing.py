"""A lake that is not there, a place that cannot be, a value that nothing can hold: refused, and nothing is made."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.lake import Lake
from tests.cli import commands

ARGUMENTS = {
    "trace": ["x"],
    "stock show": ["x"],
    "explain": ["x"],
    "sql": ["SHOW TABLES"],
    "logs": [],
    "profile": ["x"],
    "watch": ["--once"],
    "lake history": ["a/b"],
    "lake diff": ["a/b", "0", "1"],
    "lake restore": ["a/b", "0"],
    "lake verify-run": ["x"],
    "lake forget": ["x"],
    "lake export": ["a/b", "exported"],
    "lake optimize": ["a/b"],
    "lake vacuum": ["a/b"],
    "lake repair": ["a/b"],
    "lake features": ["a/b"],
    "files show": ["1"],
    "files rebuild": ["silver/x"],
    "alerts ack": ["x"],
    "alerts dismiss": ["x"],
    "plans cancel": ["x"],
    "stock adjust": ["x", "1"],
    "stock count": ["x", "1"],
    "policies show": ["x"],
    "policies set": ["x", "min_qty=1"],
    "policies unset": ["x"],
    "jobs accept-gap": ["x"],
    "data show": ["x"],
    "data edit": ["x", "r", "c=1"],
    "data insert": ["x", "r", "c=1"],
    "data delete": ["x", "r"],
    "data preview": ["x"],
    "data submit": ["x", "--title", "t"],
    "data discard": ["x"],
    "data history": ["x"],
    "data blame": ["x", "r"],
    "data diff": ["x", "1", "2"],
    "data restore": ["x", "1"],
    "data snapshot": ["x", "abc"],
    "data outside": ["x"],
    "data publish": ["x", "--all"],
    "data export": ["x", "x.csv"],
    "data definition": ["x"],
    "data define": ["x", "x.json", "--title", "t"],
    "import": ["x.csv", "--dataset", "x"],
    "users tokens revoke": ["x"],
    "users sessions end": ["x"],
    "users identities list": ["x"],
    "users identities link": ["x", "y"],
    "users identities unlink": ["x", "y"],
    "webhooks add": ["https://x.example"],
    "webhooks off": ["x"],
    "webhooks on": ["x"],
    "webhooks remove": ["x"],
    "webhooks deliveries": ["x"],
    "webhooks again": ["x", "1"],
    "models import": ["x"],
    "models promote": ["x"],
    "models retire": ["x"],
    "models compare": ["x", "y"],
    "cr effect": ["1"],
    "cr outcome": ["1"],
    "cr validation": ["1"],
    "cr take-up": ["1"],
    "cr show": ["1"],
    "cr approve": ["1", "--yes"],
    "cr reject": ["1", "--comment", "no"],
    "cr reject-cells": ["1", "r"],
    "cr withdraw": ["1"],
    "cr merge": ["1", "--yes"],
    "cr resolve": ["1", "--all", "main"],
    "cr revert": ["1"],
    "cr comment": ["1", "hm"],
}
"""What a command needs beside the lake."""
WITHOUT = {
    "up",
    "down",
    "demo",
    "bootstrap",
    "doctor",
    "init",
    "check",
    "plan",
    "config",
    "topics",
    "jobs list",
    "jobs new",
    "jobs run",
    "jobs conf",
    "jobs submit",
    "components list",
    "components new",
    "components run",
    "users bootstrap",
    "contracts show",
    "contracts check",
    "contracts docs",
    "contracts acls",
    "contracts topics",
    "run",
    "replay-quarantine",
    "files upload",
    "files watch",
    "lake migrate",
    "lake migrate-postgres",
    "migrate parquet",
    "migrate postgres",
}
"""Commands that make a lake, or tell or do something without one."""
READING = sorted(set(commands.PATHS) - WITHOUT)


@pytest.mark.parametrize("path", READING)
def test_a_lake_that_is_not_there_is_an_error_and_is_not_made(lakeshelf, tmp_path, path):
    missing = tmp_path / "above" / "missing"
    refused = lakeshelf("--lake", missing, *path.split(), *ARGUMENTS.get(path, []))
    assert refused.code == 1
    assert str(missing) in refused.error
    assert not missing.parent.exists()


@pytest.mark.parametrize("path", [p for p in READING if p not in ("status", "watch")])
def test_a_lake_where_a_file_is_is_refused(lakeshelf, tmp_path, path):
    (tmp_path / "file").write_text("precious")
    for place in (tmp_path / "file", tmp_path / "file" / "lake"):
        refused = lakeshelf("--lake", place, *path.split(), *ARGUMENTS.get(path, []))
        assert refused.code == 2
        assert f"{tmp_path / 'file'} is a file" in refused.error
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("path", ["up", "down", "bootstrap", "demo", "doctor"])
def test_nothing_is_begun_where_a_file_is(lakeshelf, tmp_path, path):
    (tmp_path / "file").touch()
    refused = lakeshelf("--lake", tmp_path / "file", path)
    assert refused.code == 2
    assert f"{tmp_path / 'file'} is a file" in refused.error


def test_a_neighbour_of_a_lake_that_is_not_there_is_offered(lakeshelf, tmp_path):
    (tmp_path / "warehouse").mkdir()
    refused = lakeshelf("--lake", tmp_path / "warehuose", "tables")
    assert f"did you mean {tmp_path / 'warehouse'}?" in refused.error


@pytest.mark.parametrize("path", ["up --no-watch", "bootstrap", "rebuild", "demo"])
@pytest.mark.parametrize("place", ["/proc/lake", "/sys/lake"])
def test_a_place_that_cannot_be_written_is_refused_in_a_sentence(lakeshelf, path, place):
    refused = lakeshelf("--lake", place, *path.split())
    assert refused.code == 1
    assert place in refused.error
    assert "unexpected" not in refused.error


@pytest.mark.slow
@pytest.mark.parametrize("version", ["-1", str(2**63), str(10**40)])
def test_a_version_that_cannot_be_is_refused_by_words(lakeshelf, lake: Path, version):
    Lake(lake).append("a/b", [{"x": 1}])
    for arguments in (
        ("sql", "FROM a.b", f"--at={version}"),
        ("lake", "diff", "a/b", "--", version, "0"),
        ("lake", "restore", "a/b", "--", version),
    ):
        refused = lakeshelf(*arguments)
        assert refused.code == 2
        assert f"no version {version}" in refused.error


@pytest.mark.parametrize(
    "arguments",
    [
        ("tables", "--limit", 2**63),
        ("tables", "--limit", -1),
        ("alerts", "list", "--limit", 10**30),
        ("sql", "SELECT 1", "--max-rows", 2**63),
        ("sql", "SELECT 1", "--timeout", "nan"),
        ("sql", "SELECT 1", "--timeout", "inf"),
        ("down", "--timeout", "nan"),
        ("files", "show", 2**63),
        ("demo", "--loop", "--days", 10**30),
        ("up", "--seed", 2**64),
        ("up", "--speed", "nan"),
    ],
)
def test_a_number_that_nothing_can_hold_is_refused(lakeshelf, lake, arguments):
    refused = lakeshelf(*arguments)
    assert refused.code == 2
    named = arguments[-2] if str(arguments[-2]).startswith("--") else str(arguments[-1])
    assert named in refused.error or str(arguments[-1]) in refused.error
    assert not lake.exists()


def _run(*arguments: str, lake: Path, stdout: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(lake), *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("tables", "--json"), ("topics", "--json"), ("sql", "FROM range(9)")]
)
def test_a_reader_that_has_gone_is_no_failure_to_talk_about(tmp_path, arguments):
    Lake(tmp_path).append("a/b", [{"x": 1}])
    reading, writing = os.pipe()
    os.close(reading)
    done = _run(*arguments, lake=tmp_path, stdout=writing)
    os.close(writing)
    assert done.returncode == 1
    assert not done.stderr


def test_a_full_disk_behind_stdout_is_named(tmp_path):
    with Path("/dev/full").open("w") as full:
        done = _run("topics", "--json", lake=tmp_path, stdout=full.fileno())
    assert done.returncode == 1
    assert done.stderr.startswith("error: standard output: No space left on device; free")
    assert "Traceback" not in done.stderr


OBEYING = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]
"""What makes root obey permissions."""


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A lake that its user may only read."""
    root = tmp_path / "read only"
    Lake(root).append("a/b", [{"x": 7}])
    (root / "_stack").mkdir()
    folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    yield root
    for folder in folders:
        folder.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("lake", "ls"), 0, "a/b"),
        (("sql", "FROM a.b"), 0, "7"),
        (("up", "--no-watch"), 1, "Permission denied"),
        (("rebuild",), 1, "Permission denied"),
        (("destroy", "--yes", "read only"), 1, "Permission denied"),
    ],
)
def test_a_lake_that_can_only_be_read_is_read_and_what_would_write_says_so(
    read_only, arguments, code, told
):
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(read_only), *arguments]
    prefix = OBEYING if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert Lake(read_only).names() == ["a/b"]
