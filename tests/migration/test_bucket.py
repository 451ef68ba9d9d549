"""A lake in a bucket: rows appear in one commit, and a run that died goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from lakeshelf.lake import Conflict, Lake
from lakeshelf.lake.place.storage import filesystem
from lakeshelf.lake.rows import tables
from lakeshelf.migration import Options, migrate, staging, verify
from tests.migration.layouts import NAME, in_lake, lines
from tests.support import eventually


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    # A process of its own: delta-rs holds Python's lock in some calls, and a thread could not answer them.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: _listens(port), "the bucket's server listens")
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}  # pragma: allowlist
    address = f"http://127.0.0.1:{port}"
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="lake")
    options = {name.upper(): value for name, value in keys.items()}
    yield options | {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    client.close()
    server.terminate()
    server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def left_over(lake: Lake) -> list[str]:
    from pyarrow import fs

    files, base = filesystem(lake.root)
    found = files.get_file_info(fs.FileSelector(base, recursive=True))
    return [info.path for info in found if info.is_file and "_migrations" in info.path]


@pytest.mark.slow
def test_files_are_migrated_into_a_bucket_and_added_to_it(
    tmp_path: Path, bucket: dict[str, str]
) -> None:
    lake, source = Lake("s3://lake/root", storage_options=bucket), lines(tmp_path / "in", 2)
    made = migrate(lake, source, NAME, Options())
    assert (made.outcome, made.version) == ("migrated", 1)
    assert lake.names() == [NAME]
    lines(source, 3)
    assert migrate(lake, source, NAME, Options(), incremental=True).rows == 2
    assert sum(in_lake(lake).values()) == 6
    assert verify(lake, source, NAME, Options()).outcome == "verified"
    assert left_over(lake) == []


@pytest.mark.slow
def test_a_run_that_died_between_the_table_and_its_rows_goes_on(
    tmp_path: Path, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, source = Lake("s3://lake/root", storage_options=bucket), lines(tmp_path / "in", 2)

    def died(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(staging, "_copy", died)
    with pytest.raises(KeyboardInterrupt):
        migrate(lake, source, NAME, Options())
    assert in_lake(lake) == {}
    monkeypatch.undo()
    assert migrate(lake, source, NAME, Options()).rows == 4
    assert sum(in_lake(lake).values()) == 4
    assert left_over(lake) == []


@pytest.mark.slow
def test_an_empty_table_of_somebody_else_is_not_taken(
    tmp_path: Path, bucket: dict[str, str]
) -> None:
    lake, source = Lake("s3://lake/root", storage_options=bucket), lines(tmp_path / "in", 1)
    lake.append(NAME, [{"sku": "a"}])
    with pytest.raises(Conflict, match="--incremental"):
        migrate(lake, source, NAME, Options())
    assert tables.row_count(lake.root, NAME) == 1
