"""Everything that can be wrong from outside is one line and an exit code; nothing is lost."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.streams.take.refusal import Refused, quarantine_rows


@pytest.fixture
def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def quarantine(lake: Path) -> Path:
    tables.ensure(lake, CATALOG.tables["raw/quarantine"])
    return tables.location(lake, "raw/quarantine")


@pytest.fixture
def taken_port(lake: Path) -> Iterator[int]:
    """The remembered port of the broker, with somebody else on it."""
    port = int(Broker(load_settings(lake_root=lake)).bootstrap_servers.rpartition(":")[2])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        yield port


def test_a_broker_that_does_not_run(lakeshelf):
    result = lakeshelf("jobs", "run")
    assert result.code == 1
    assert "no broker runs" in result.error
    assert "lakeshelf up" in result.error


@pytest.mark.slow
def test_a_broker_that_cannot_be_reached(lakeshelf, monkeypatch, closed_port):
    monkeypatch.setenv("LAKESHELF_BOOTSTRAP_SERVERS", closed_port)
    result = lakeshelf("jobs", "run")
    assert result.code == 1
    assert closed_port in result.error
    assert "LAKESHELF_BOOTSTRAP_SERVERS" in result.error


@pytest.mark.slow
def test_a_port_that_is_taken_ends_up(lakeshelf, taken_port):
    result = lakeshelf("up")
    assert result.code == 1
    assert f"port {taken_port}" in result.error
    assert "ports.json" in result.error


@pytest.mark.slow
def test_a_port_that_is_taken_is_seen_by_doctor(lakeshelf, taken_port):
    checks = json.loads(lakeshelf("doctor", "--json").out)["checks"]
    (found,) = (c for c in checks if c["name"] == "ports")
    assert not found["ok"]
    assert str(taken_port) in found["message"]
    assert found["fix"]


@pytest.mark.slow
def test_a_java_that_is_none(lakeshelf, monkeypatch, tmp_path):
    monkeypatch.setenv("LAKESHELF_JAVA_HOME", str(tmp_path))
    result = lakeshelf("bootstrap")
    assert result.code == 1
    assert str(tmp_path) in result.error
    assert "LAKESHELF_JAVA_HOME" in result.error


def test_a_java_that_is_too_old(lakeshelf, monkeypatch, tmp_path):
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.touch(mode=0o755)
    (tmp_path / "release").write_text('JAVA_VERSION="11.0.2"\n')
    monkeypatch.setenv("LAKESHELF_JAVA_HOME", str(tmp_path))
    result = lakeshelf("bootstrap")
    assert result.code == 1
    assert "Java 11" in result.error


@pytest.mark.slow
def test_a_jar_with_a_wrong_checksum(lakeshelf, monkeypatch, tmp_path):
    cache = _cache_with_a_damaged_jar(tmp_path / "cache")
    monkeypatch.setenv("LAKESHELF_CACHE_DIR", str(cache))
    result = lakeshelf("bootstrap")
    assert result.code == 1
    assert "was changed or damaged" in result.error
    assert "make setup" in result.error
    checks = json.loads(lakeshelf("doctor", "--json").out)["checks"]
    assert any("SHA-256" in c["message"] and not c["ok"] for c in checks if c["name"] == "jars")


@pytest.mark.slow
def test_a_checkpoint_that_is_damaged(lakeshelf, lake):
    pointer = lake / "_checkpoints" / "shelf-aggregator" / "current.json"
    pointer.parent.mkdir(parents=True)
    pointer.write_text("{")
    result = lakeshelf("doctor", "--json")
    assert result.code == 1
    (found,) = (c for c in json.loads(result.out)["checks"] if c["name"] == "checkpoints")
    assert str(pointer) in found["message"]
    assert "lakeshelf rebuild" in found["fix"]


def test_a_table_newer_than_the_code(lakeshelf, quarantine):
    log = quarantine / "_delta_log" / f"{1:020}.json"
    log.write_text(json.dumps({"protocol": {"minReaderVersion": 1, "minWriterVersion": 99}}) + "\n")
    before = sorted(quarantine.rglob("*"))
    result = lakeshelf("quarantine", "list")
    assert result.code == 1
    assert "raw/quarantine" in result.error
    assert sorted(quarantine.rglob("*")) == before


def test_a_table_that_is_not_there(lakeshelf):
    result = lakeshelf("quarantine", "list")
    assert result.code == 1
    assert "raw/quarantine" in result.error
    assert "lakeshelf bootstrap" in result.error


@pytest.mark.parametrize("command", ["rebuild", "continue"])
def test_a_lake_that_another_driver_owns(lakeshelf, lake, command):
    with FileLock(lake / "_stack" / "streams.lock", "somebody else"):
        result = lakeshelf(command)
    assert result.code == 1
    assert "somebody else" in result.error


def test_a_lake_that_another_stack_owns(lakeshelf, lake):
    with FileLock(lake / "_stack" / "stack.lock", "somebody else"):
        result = lakeshelf("up", "--foreground")
    assert result.code == 1
    assert "somebody else" in result.error
    assert [p.name for p in lake.rglob("*")] == ["_stack", "stack.lock"]


@pytest.mark.parametrize(
    "arguments", [("jobs", "run", "shelf-agregator"), ("jobs", "run", "shelf-aggregator", "nope")]
)
def test_an_unknown_job(lakeshelf, arguments):
    result = lakeshelf(*arguments)
    assert result.code == 2
    assert arguments[-1] in result.error
    assert "lakeshelf jobs list" in result.error


def test_an_unknown_topic_of_the_quarantine(lakeshelf, quarantine):
    del quarantine
    result = lakeshelf("quarantine", "list", "--topic", "shelf_evnts")
    assert result.code == 2
    assert "did you mean shelf_events" in result.error


def test_an_unknown_topic(lakeshelf):
    result = lakeshelf("contracts", "show", "shelf_evnts")
    assert result.code == 2
    assert "did you mean shelf_events" in result.error


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("committer = ", "lakeshelf.toml is not TOML"),
        ("comitter = 'driver'", "comitter"),
        ("committer = 'nobody'", "nobody"),
        ("max_batch_rows = 0", "max_batch_rows"),
    ],
)
def test_a_configuration_file_that_is_broken(lakeshelf, monkeypatch, tmp_path, content, named):
    file = tmp_path / "lakeshelf.toml"
    file.write_text(content)
    monkeypatch.setenv("LAKESHELF_CONFIG", str(file))
    result = lakeshelf("config")
    assert result.code == 2
    assert named in result.error
    assert str(file) in result.error


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("COMMITTER", "nobody", ("setting committer = 'nobody'", "'spark' or 'size'")),
        ("TABLE_COMMITTERS", "spark", ("setting table_committers = 'spark'", "it is no JSON")),
        ("TABLE_COMMITTERS", '{"a": "b"}', ("setting table_committers.a = 'b'",)),
    ],
)
def test_a_variable_that_is_wrong_is_blamed_and_not_the_file(
    lakeshelf, monkeypatch, tmp_path, name, value, named
):
    file = tmp_path / "lakeshelf.toml"
    file.write_text("max_batch_rows = 100")
    monkeypatch.setenv("LAKESHELF_CONFIG", str(file))
    monkeypatch.setenv(f"LAKESHELF_{name}", value)
    result = lakeshelf("config")
    assert result.code == 2
    assert f"LAKESHELF_{name}" in result.error
    assert str(file) not in result.error
    assert all(text in result.error for text in named)


def test_a_misspelt_variable_is_not_passed_over(lakeshelf, monkeypatch):
    monkeypatch.setenv("LAKESHELF_COMITTER", "spark")
    result = lakeshelf("config")
    assert result.code == 2
    assert "LAKESHELF_COMITTER is no setting; did you mean LAKESHELF_COMMITTER?" in result.error


def test_a_store_of_a_kind_that_no_stack_can_be_in_is_refused_before_its_tables_are_asked_for(
    lakeshelf, monkeypatch
):
    monkeypatch.setattr("lakeshelf.stack.observing.status.collect", lambda _: pytest.fail("asked"))
    result = lakeshelf("--lake", "gs://bucket/shop", "status")
    assert result.code == 1
    assert "no files can be listed at gs://bucket/shop; use a folder or s3://" in result.error


def test_an_option_that_is_wrong_is_blamed_and_not_the_environment(lakeshelf):
    result = lakeshelf("jobs", "conf", "--master", "yarn", "--committer", "nobody")
    assert result.code == 2
    assert "setting committer = 'nobody'" in result.error
    assert "correct it in the command" in result.error


def test_a_configuration_file_that_is_not_there(lakeshelf, monkeypatch, tmp_path):
    monkeypatch.setenv("LAKESHELF_CONFIG", str(tmp_path / "none.toml"))
    result = lakeshelf("config")
    assert result.code == 2
    assert "LAKESHELF_CONFIG" in result.error


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--stores", "0"),
        ("--stores", "many"),
        ("--malformed", "2"),
        ("--reorder", "-1"),
        ("--committer", "nobody"),
    ],
)
def test_a_demo_that_cannot_be(lakeshelf, lake, option, value):
    result = lakeshelf("demo", option, value)
    assert result.code == 2
    assert value in result.error
    assert not lake.exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--stores", "all"), ("--speed", "2.0"), ("--malformed", "0.1"), ("--late", "0.1"), ("--baskets", "7")],
)  # fmt: skip
def test_a_loop_that_cannot_be(lakeshelf, lake, option, value):
    result = lakeshelf("demo", "--loop", option, value)
    assert result.code == 2
    assert option in result.error
    assert value in result.error
    assert not lake.exists()


def test_a_demo_never_empties_what_no_demo_made(lakeshelf, tmp_path):
    precious = tmp_path / "photos" / "cat.jpg"
    precious.parent.mkdir()
    precious.touch()
    result = lakeshelf("demo", "--lake", precious.parent)
    assert result.code == 2
    assert str(precious.parent) in result.error
    assert precious.exists()
    assert not (precious.parent / "_stack").exists()


@pytest.mark.parametrize("text", ["no json", "[1]"])
def test_corrected_records_that_are_none(lakeshelf, tmp_path, monkeypatch, text, closed_port):
    monkeypatch.setenv("LAKESHELF_BOOTSTRAP_SERVERS", closed_port)
    file = tmp_path / "records.json"
    file.write_text(text)
    result = lakeshelf("replay-quarantine", file)
    assert result.code == 2
    assert str(file) in result.error


def _cache_with_a_damaged_jar(cache: Path) -> Path:
    """The filled cache by links, but for one jar that has a byte more."""
    source = load_settings().cache_dir / "jars"
    (cache / "jars").mkdir(parents=True)
    for jar in source.glob("*.jar"):
        (cache / "jars" / jar.name).symlink_to(jar)
    shutil.copy2(source / "verified.json", cache / "jars")
    damaged = next((cache / "jars").glob("kafka-server-*.jar"))
    damaged.unlink()
    shutil.copy2(source / damaged.name, damaged)
    with damaged.open("ab") as file:
        file.write(b"x")
    return cache


def test_the_export_of_quarantine_is_whole_and_a_part_of_it_is_called_one(
    lakeshelf, lake, quarantine
):
    at = datetime(2026, 11, 25, tzinfo=UTC)
    refused = [
        Refused("shelf_events", 0, n, at, None, b"broken", "not_json", "broken") for n in range(25)
    ]
    handle = tables.open_table(lake, "raw/quarantine")
    write = Write.once(Txn("test", 0))
    writing.append(handle, "raw/quarantine", quarantine_rows(refused, at), write)
    whole = lakeshelf("quarantine", "list", "--json")
    assert len(json.loads(whole.out)) == 25
    assert whole.err == ""
    part = lakeshelf("quarantine", "list", "--json", "--limit", "7")
    assert len(json.loads(part.out)) == 7
    assert "7 of 25 records" in part.err
    assert "20 of 25 records" in lakeshelf("quarantine", "list").out
    assert "of 25" not in lakeshelf("quarantine", "list", "--limit", "25").out


@pytest.mark.slow
def test_a_gap_is_looked_for_while_the_stack_is_down(lakeshelf, lake):
    """The embedded broker is started for it, and stopped."""
    assert lakeshelf("bootstrap").code == 0
    result = lakeshelf("jobs", "accept-gap", "shelf-aggregator")
    assert (result.code, result.err) == (0, "")
    assert "Nothing is lost" in result.out
    assert not Broker(load_settings(lake_root=lake)).is_running()
