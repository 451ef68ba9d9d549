"""The log: every part's lines in the order of their times, failures with their traceback, never a secret."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lakeshelf import log_lines, logs
from lakeshelf.cli.platform.observing import logs as command
from lakeshelf.kafka.authentication import authentication, java_client
from lakeshelf.log_lines import LogLine
from lakeshelf.logs import log
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision import handover
from tests.conftest import Run
from tests.support import logged

BROKER = "2026-03-01T10:00:02.500+00:00 WARN SocketServer: slow\n"
SPARK = "26/03/01 10:00:01 ERROR MicroBatchExecution: terminated\n\tat java.lang.Thread\n"
ORPHAN = "WARNING: Using incubator modules\n"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The logger of this process is as it was, afterwards."""
    monkeypatch.setenv("TZ", "UTC")
    logger = logging.getLogger(logs.NAME)
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield
    for handler in logger.handlers:
        handler.close()
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


def test_a_line_has_its_time_level_part_and_fields(tmp_path: Path) -> None:
    logs.begin("streams", tmp_path)
    log.info("query started", query="shelf-aggregator", batch_id=3)
    log.debug("left out")
    (line,) = logged(tmp_path)
    assert (line.level, line.part, line.event) == ("info", "streams", "query started")
    assert line.fields == {"run_id": logs.run_id(), "query": "shelf-aggregator", "batch_id": 3}
    assert line.text().endswith("query started query=shelf-aggregator batch_id=3")
    assert line.at.tzinfo is not None


def test_each_start_of_a_process_has_an_id_of_its_own(tmp_path: Path) -> None:
    for _ in range(2):
        logs.begin("streams", tmp_path)
        log.info("process starts")
        log.info("query started")
    ids = [line.fields["run_id"] for line in logged(tmp_path)]
    assert len(set(map(uuid.UUID, ids))) == 2
    assert (ids[0], ids[2]) == (ids[1], ids[3])


def test_a_failure_is_one_line_with_its_traceback(tmp_path: Path) -> None:
    logs.begin("components", tmp_path)
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        log.error("component failed", exc_info=error)
    assert len((tmp_path / "components.jsonl").read_text().splitlines()) == 1
    (line,) = logged(tmp_path)
    assert "Traceback" in line.fields["exception"]
    assert line.text().endswith("\n  ValueError: first\n  second")


ODD = 'a "quoted\\ password'


def test_secrets_are_masked_wherever_they_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-bucket")
    logs.begin("streams", tmp_path, secrets=["hunter22", ODD])
    try:
        raise RuntimeError("password hunter22 was refused")
    except RuntimeError as error:
        log.error("no access", url="sasl://me:hunter22@host", exc_info=error)
    log.error("denied", header="key-of-the-bucket", user=f"me:{ODD}")
    written = (tmp_path / "streams.jsonl").read_text()
    assert "hunter22" not in written
    assert "quoted" not in written
    assert "key-of-the-bucket" not in written
    assert written.count(logs.MASK) >= 2
    assert all(json.loads(line) for line in written.splitlines())


def test_of_a_secret_that_begins_with_another_nothing_is_left(tmp_path: Path) -> None:
    words = [f"open{'-sesame' * more}" for more in range(6)]
    logs.begin("streams", tmp_path, secrets=words)
    log.error("denied", said=" ".join(words))
    assert "sesame" not in (tmp_path / "streams.jsonl").read_text()


def test_all_secrets_of_settings_are_masked_also_as_java_has_them(tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.touch(mode=0o600)
    file.write_text("postgresql://ann:sky%20blue@db/shop\n")
    settings = load_settings(
        state_dir=tmp_path,
        kafka_username="ann",
        kafka_password=ODD,
        api_token="token-of-ann",
        governance_database_file=file,
    )
    handover.begin_log("streams", settings)
    java = java_client(authentication(settings))["sasl.jaas.config"]
    log.error("failed", said=f"{java} sky blue, sky%20blue", token="token-of-ann")
    written = "".join(f.read_text() for f in (settings.stack_dir / "logs").iterdir())
    for secret in ("quoted", "sky", "token-of-ann"):
        assert secret not in written


def test_where_a_secret_is_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKESHELF_KAFKA_PASSWORD_FILE", "/run/secrets/kafka")
    logs.begin("streams", tmp_path)
    log.error("the file is empty", file="/run/secrets/kafka")
    assert "/run/secrets/kafka" in (tmp_path / "streams.jsonl").read_text()


def test_a_file_that_has_grown_large_is_put_aside_and_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LARGEST", 2000)
    logs.begin("streams", tmp_path)
    for number in range(30):
        log.info("batch done", batch_id=number)
    assert len(list(tmp_path.glob("streams.jsonl*"))) > 1
    assert [line.fields["batch_id"] for line in logged(tmp_path)] == list(range(30))


def test_lines_of_all_parts_stand_in_the_order_of_their_times(tmp_path: Path) -> None:
    own = {
        "at": "2026-03-01T10:00:02Z",
        "level": "info",
        "event": "stack starts",
        "part": "supervisor",
    }
    (tmp_path / "supervisor.jsonl").write_text(json.dumps(own) + "\n")
    (tmp_path / "broker.log").write_text(BROKER)
    (tmp_path / "streams.log").write_text(ORPHAN + SPARK)
    found = list(logged(tmp_path))
    assert [line.part for line in found] == ["streams", "streams", "supervisor", "broker"]
    assert found[0].fields["exception"] == ORPHAN
    assert found[1].fields["exception"] == "\tat java.lang.Thread\n"
    assert [line.level for line in found] == ["info", "error", "info", "warning"]
    assert [line.part for line in logged(tmp_path, "broker")] == ["broker"]


@given(st.lists(st.text(max_size=40), max_size=6))
def test_no_text_in_a_log_is_lost_or_stops_its_reading(texts: list[str]) -> None:
    lines = [part for text in texts for part in text.splitlines()]
    assume(not any(log_lines._line(line, "") for line in lines))
    found = list(log_lines._lines(lines, "streams", log_lines._Stand()))
    told = "".join(f"{line.event}{line.fields.get('exception', '')}" for line in found)
    assert [line for line in lines if line.strip()] == told.splitlines()


def test_lines_that_come_are_followed_also_into_a_new_file(tmp_path: Path) -> None:
    file = tmp_path / "broker.log"
    file.write_text(BROKER)
    tail = log_lines.Tail(tmp_path)
    assert [line.event for line in tail.lines()] == ["SocketServer: slow"]
    following = tail.follow(pause=lambda _: appended())
    turns = iter(("half", "rest", "anew"))

    def appended() -> None:
        turn = next(turns)
        if turn == "half":
            file.open("a").write(BROKER.replace("slow", "slower")[:-5])
        elif turn == "rest":
            file.open("a").write(BROKER.replace("slow", "slower")[-5:])
        else:
            file.write_text(BROKER.replace("slow", "new"))

    assert next(following).event == "SocketServer: slower"
    assert next(following).event == "SocketServer: new"


def test_the_rest_of_a_traceback_is_as_old_and_as_grave_as_its_beginning(tmp_path: Path) -> None:
    """It was written after a look; with `--level error` it had been left out, else shown at the time 1970."""
    file, tail = tmp_path / "streams.log", log_lines.Tail(tmp_path)
    file.write_text(SPARK)
    (begun,) = tail.lines()
    file.open("a").write("\tat java.lang.Daemon\n")
    (rest,) = tail.lines()
    file.open("a").write("\tat java.lang.Main\n")
    (last,) = tail.lines()
    assert (rest.at, rest.level, rest.fields) == (
        begun.at,
        "error",
        {"exception": "\tat java.lang.Daemon\n"},
    )
    assert (last.at, last.level, last.event) == (begun.at, "error", "")


def test_what_has_no_time_is_shown_without_one(tmp_path: Path) -> None:
    (tmp_path / "streams.log").write_text(ORPHAN)
    (line,) = logged(tmp_path)
    assert line.record()["at"] is None
    assert line.text() == f"{'':19} info    streams\n  {ORPHAN.rstrip()}"


ACTS = st.lists(st.sampled_from(["line", "half", "look", "aside"]), max_size=25)


@given(ACTS)
def test_each_line_is_followed_once_however_often_its_file_is_put_aside(acts: list[str]) -> None:
    """Also one that a look finds half written, and those that come between a look and the next file."""
    with tempfile.TemporaryDirectory() as name:
        file, tail = Path(name) / "streams.jsonl", log_lines.Tail(Path(name))
        lines, seen, rest = count(), list[str](), b""
        for act in (*acts, "line", "look"):
            if act == "look":
                seen += [line.event for line in tail.lines()]
            elif act == "aside" and file.exists() and not rest:
                for number in sorted(int(one.suffix[1:]) for one in file.parent.glob("*.jsonl.*"))[
                    ::-1
                ]:
                    Path(f"{file}.{number}").replace(f"{file}.{number + 1}")
                file.replace(f"{file}.1")
            elif act in ("line", "half"):
                content = rest or own_line(next(lines))
                written = content if act == "line" else content[:20]
                with file.open("ab") as opened:
                    opened.write(written)
                rest = content[len(written) :]
        assert seen == [f"{number}\u2028\x85" for number in range(next(lines))]


def own_line(number: int) -> bytes:
    """A line with characters that end one elsewhere."""
    at = f"2026-03-01T10:00:{number:02}Z"
    fields = {"at": at, "level": "info", "event": f"{number}\u2028\x85"}
    return json.dumps(fields, ensure_ascii=False).encode() + b"\n"


def test_bytes_that_are_no_text_and_half_lines_are_shown(tmp_path: Path) -> None:
    whole = b'{"at":"2026-03-01T10:00:00Z","level":"info","event":"ready"}'
    (tmp_path / "streams.jsonl").write_bytes(
        whole + b"\n\xff\x00bin\n" + whole + b"\n" + whole[:30]
    )
    first, second = logged(tmp_path)
    assert first.fields == {"exception": "\\xff\x00bin\n"}
    assert second.fields == {"exception": f"{whole[:30].decode()}\n"}


def test_what_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    logs.begin("streams", tmp_path)
    log.error("cannot read", file=os.fsdecode(b"a\xff"))
    (line,) = logged(tmp_path)
    assert line.event == "cannot read"
    assert line.fields["file"] == os.fsdecode(b"a\xff")


def test_the_command_shows_the_latest_lines_and_says_how_many_there_are(
    tmp_path: Path, lakeshelf: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "lake" / "_stack" / "logs"
    folder.mkdir(parents=True)
    monkeypatch.setenv("LAKESHELF_LAKE_ROOT", str(tmp_path / "lake"))
    logs.begin("streams", folder)
    for number in range(5):
        log.info("batch done", batch_id=number)
    log.warning("record isolated", record="\x1b[31mred")
    told = lakeshelf("logs", "--limit", "2")
    assert "batch_id=4" in told.out
    assert "batch_id=3" not in told.out
    assert "2 of 6 lines; --all shows them" in told.out
    assert "\x1b[31m" not in lakeshelf("logs", "--all").out
    log.error("failed", exception="first\nsecond; run `lakeshelf up`")
    assert (
        "failed\n  first\n  second; run `lakeshelf up`\n" in lakeshelf("logs", "--limit", "1").out
    )
    (folder / "streams.jsonl").write_text(
        "".join((folder / "streams.jsonl").read_text().splitlines(keepends=True)[:-1])
    )
    monkeypatch.setattr(command, "LINES", 2)
    assert "2 of 6 lines; --all shows them" in lakeshelf("logs").out
    assert len(json.loads(lakeshelf("logs", "--json").out)) == 6, "JSON is never cut in silence"
    assert len(json.loads(lakeshelf("logs", "--json", "--limit", "2").out)) == 2
    assert lakeshelf("logs", "--all", "--limit", "2").code == 2
    (line,) = json.loads(lakeshelf("logs", "--level", "warning", "--json").out)
    assert (line["event"], line["part"]) == ("record isolated", "streams")
    refused = lakeshelf("logs", "nobody")
    assert refused.code == 2
    assert "no log of 'nobody'; there is streams" in refused.err


def test_a_lake_without_a_log_says_so(lakeshelf: Run, lake: Path) -> None:
    load_settings().stack_dir.mkdir(parents=True)
    assert "No log yet; `lakeshelf" in lakeshelf("logs").out
    assert json.loads(lakeshelf("logs", "--json").out) == []


def test_text_of_a_line_begins_with_when_how_grave_and_whose() -> None:
    line = LogLine.of(
        '{"at":"2026-03-01T10:00:02Z","level":"info","event":"ready","x":1}', "broker"
    )
    assert line.text() == "2026-03-01 10:00:02 info    broker     ready x=1"


@pytest.mark.parametrize(
    "strange",
    [
        '{"at": "2026-03-01T10:00:00", "level": "info", "event": "no zone"}',
        '{"at": "2026-03-01T10:00:00+00:00", "level": "notice", "event": "an unknown level"}',
        '{"at": 5, "level": 1, "event": 2}',
        '{"a":' * 100_000,
        "2026-13-01T10:00:00 WARN no month",
        "2026-03-01T10:00:00 WARN no zone",
        "99/99/99 10:00:00 WARN no day",
    ],
)
def test_a_line_of_others_is_shown_between_ours(lakeshelf: Run, lake: Path, strange: str) -> None:
    folder = load_settings().stack_dir / "logs"
    folder.mkdir(parents=True)
    own = {"at": "2026-03-01T10:00:00+00:00", "level": "info", "part": "streams", "event": "ours"}
    (folder / "streams.jsonl").write_text(f"{json.dumps(own)}\n{strange}\n{json.dumps(own)}\n")
    (folder / "broker.log").write_text(f"{BROKER}{strange}\n")
    (folder / "folder.log").mkdir()
    (folder / "gone.log").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.log")
    shown = lakeshelf("logs", "--json")
    assert shown.code == 0
    assert [line["event"] for line in json.loads(shown.out)].count("ours") == 2


def test_what_stands_below_a_line_is_gathered_once(tmp_path: Path) -> None:
    """Each line anew with all before it: a log of others would take minutes, at 10 MB."""
    (tmp_path / "broker.log").write_text("no time\n" * 200_000)
    began = time.process_time()
    (line,) = logged(tmp_path)
    assert time.process_time() - began < 20
    assert len(line.fields["exception"]) == 8 * 200_000
