"""Commands on a lake in a bucket, by `--lake` and by setting; nothing that they print holds a secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import Lake
from lakeshelf.settings import load_settings
from tests.conftest import Result, Run

from .conftest import SECRET, TOKEN
from .serving import Server

NAME = "curated/notes"


@pytest.fixture
def run(lakeshelf: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command, whose output must not hold a secret."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)

    def checked(*arguments: object) -> Result:
        result = lakeshelf(*arguments)
        for secret in (SECRET, TOKEN):
            assert secret not in result.out + result.err, arguments
        return result

    return checked


@pytest.fixture
def filled(lake: Lake, tmp_path: Path) -> Lake:
    lake.merge(NAME, [{"k": 1, "v": "a"}], ["k"])
    lake.merge(NAME, [{"k": 1, "v": "b"}, {"k": 2, "v": "b"}])
    with lake.run("monday") as done:
        done.append("curated/others", [{"k": 1}])
    return lake


COMMANDS: list[tuple[str, ...]] = [
    ("lake", "ls"),
    ("lake", "history", NAME),
    ("lake", "diff", NAME, "1", "2"),
    ("lake", "features"),
    ("lake", "features", NAME),
    ("lake", "doctor"),
    ("lake", "optimize", NAME),
    ("lake", "vacuum", NAME, "--dry-run"),
    ("lake", "vacuum", NAME),
    ("lake", "repair", NAME, "--dry-run"),
    ("lake", "runs"),
    ("lake", "cursors"),
    ("lake", "verify-run", "monday"),
    ("lake", "restore", NAME, "1", "--dry-run"),
    ("lake", "restore", NAME, "1"),
    ("sql", "SELECT k, v FROM curated.notes ORDER BY k"),
    ("sql", "SELECT v FROM curated.notes AT (VERSION => 1)"),
    ("sql", "SHOW TABLES"),
    ("files", "scan"),
    ("files", "list"),
    ("tables",),
    ("config",),
]


@pytest.mark.slow
@pytest.mark.parametrize("by", ["setting", "option"])
def test_every_command_of_the_library_works_on_a_bucket(
    run: Callable[..., Result], filled: Lake, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ["--lake", filled.root.uri] if by == "option" else []
    if by == "setting":
        monkeypatch.setenv("LAKESHELF_LAKE_ROOT", filled.root.uri)
    for command in COMMANDS:
        result = run(*before, *command, "--json")
        assert result.code == 0, (command, result.err)
        assert json.loads(result.out) is not None
    assert json.loads(run(*before, "config", "--json").out)["lake_root"] == filled.root.uri
    assert run(*before, "lake", "ls").code == 0


@pytest.mark.slow
def test_files_are_uploaded_loaded_exported_and_migrated(
    run: Callable[..., Result], root: str, tmp_path: Path
) -> None:
    (tmp_path / "sales.csv").write_text("id,name\n1,a\n2,b\n")
    assert run("--lake", root, "files", "upload", "sales", tmp_path / "sales.csv").code == 0
    assert run("--lake", root, "files", "upload", "sales", tmp_path / "sales.csv").code == 0
    out = tmp_path / "out"
    assert run("--lake", root, "lake", "export", "silver/sales", out).code == 0
    assert pq.read_table(out).num_rows == 2
    pq.write_table(pa.table({"id": [1, 2, 3]}), tmp_path / "old.parquet")
    migrated = run("--lake", root, "lake", "migrate", tmp_path / "old.parquet", "curated/old")
    assert migrated.code == 0, migrated.err
    told = run("--lake", root, "sql", "SELECT count(*) AS n FROM curated.old", "--json")
    assert json.loads(told.out) == [{"n": 3}]


@pytest.mark.parametrize("debug", [[], ["--debug"]])
@pytest.mark.parametrize("key", ["EXPIRED", "WRONG"])
@pytest.mark.parametrize("command", [("lake", "history", NAME), ("lake", "ls"), ("files", "scan")])
def test_a_refused_command_is_one_line(
    run: Callable[..., Result],
    filled: Lake,
    command: tuple[str, ...],
    key: str,
    debug: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    result = run(*debug, "--lake", filled.root.uri, *command)
    assert result.code == 1
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert {"EXPIRED": "have expired", "WRONG": "are wrong"}[key] in last
    assert debug or "Traceback" not in result.err


def test_credentials_in_the_address_are_refused_and_not_repeated(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"s3://me:{SECRET}@bucket/lake"
    assert "credentials" in run("--lake", address, "lake", "ls").error
    assert "credentials" in run("--lake", address, "tables").error
    monkeypatch.setenv("LAKESHELF_LAKE_ROOT", address)
    for command in (["config"], ["lake", "ls"], ["--debug", "config"]):
        assert run(*command).code == 2


def test_local_state_of_a_bucket_has_a_folder_of_its_own(
    root: str, server: Server, tmp_path: Path
) -> None:
    here = load_settings(lake_root=root)
    other = load_settings(lake_root=f"{root}2")
    assert here.lake_root == here.lake == root
    assert here.stack_dir.is_relative_to(here.cache_dir / "lakes")
    assert here.checkpoint_dir == f"{root}/_checkpoints"
    assert here.state_dir != other.state_dir
    assert load_settings(lake_root=root, state_dir=tmp_path).stack_dir == tmp_path / "_stack"


def test_state_of_a_folder_stays_in_it(tmp_path: Path) -> None:
    found = load_settings(lake_root=str(tmp_path))
    assert found.lake_root == found.state_dir == tmp_path
    assert found.stack_dir == tmp_path / "_stack"


def test_a_demo_empties_no_lake_that_no_demo_made(
    filled: Lake, tmp_path: Path, run: Callable[..., Any]
) -> None:
    from lakeshelf.stack.demos import demo

    settings = load_settings(lake_root=filled.root.uri, state_dir=tmp_path / "state")
    with pytest.raises(ConfigurationError, match="no demo made"):
        demo.refuse_foreign(settings)
    fresh = load_settings(lake_root=f"{filled.root.uri}/demo", state_dir=tmp_path / "state")
    demo.refuse_foreign(fresh)
    fresh.stack_dir.mkdir(parents=True)
    demo.empty(fresh)
    assert demo.is_demo(fresh)
    assert not demo.is_demo(settings), "the state folder was that of another lake"
    with pytest.raises(ConfigurationError, match="no demo made"):
        demo.refuse_foreign(settings)
    assert {NAME, "curated/others"} <= set(filled.names())
