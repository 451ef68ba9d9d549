"""Files that are written in one step, read whoever wrote them: no more of one than any of ours has."""

from __future__ import annotations

import logging
import os
import tracemalloc
from pathlib import Path

import pytest

from lakeshelf.components import hearing
from lakeshelf.files import LARGEST, read_json
from lakeshelf.stack.machine import ports, processes
from lakeshelf.stack.supervision import stack_file
from lakeshelf.status_files import STREAMS
from lakeshelf.streams.run import trials

READERS = {
    "stack.json": lambda file: stack_file.read(file.parent),
    STREAMS.name: lambda file: STREAMS.read(file.parent),
    trials.ENDED: lambda file: trials.last_end(file.parent, 1) == trials.UNKNOWN_END,
    "batches/shelf-aggregator.json": lambda file: trials.read(file) == trials.BatchTrial(),
    f"{hearing.FOLDER}/clock.json": lambda file: hearing.read(file) == hearing.Hearing(),
    "ports.json": ports.read,
    "broker.pid": lambda file: processes.read_pid_file(file) is None,
}
"""File → what reads it; the truth of what it gives: nothing, in whatever form."""
NOTHING = ({}, True)


@pytest.mark.parametrize(("name", "read"), READERS.items())
def test_of_a_file_that_is_too_large_no_more_is_read_and_a_warning_tells_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name, read
) -> None:
    (file := tmp_path / name).parent.mkdir(exist_ok=True)
    file.touch()
    os.truncate(file, 8 * LARGEST)
    tracemalloc.start()
    try:
        with caplog.at_level(logging.WARNING):
            assert read(file) in NOTHING
            assert read(file) in NOTHING
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * LARGEST
    (record,) = caplog.records
    assert record.getMessage() == (
        f"{file} is larger than 8,388,608 bytes, and is not read; remove it with `rm {file}`"
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "read"), READERS.items())
@pytest.mark.parametrize("nested", [b"[", b'{"parts":'])
def test_what_is_nested_without_end_or_is_a_pipe_tells_nothing(tmp_path, name, read, nested):
    """Nobody writes into the pipe."""
    (file := tmp_path / name).parent.mkdir(exist_ok=True)
    file.write_bytes(nested * (LARGEST // len(nested)))
    assert read(file) in NOTHING
    file.unlink()
    os.mkfifo(file)
    assert read(file) in NOTHING


def test_a_file_as_large_as_any_is_read(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    file.write_bytes(b'{"a": "' + b"b" * (LARGEST - 9) + b'"}')
    assert file.stat().st_size == LARGEST
    assert len(read_json(file)["a"]) == LARGEST - 9
