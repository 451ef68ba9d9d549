"""Tables in a bucket are compacted, vacuumed, examined and repaired like those in a folder."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest

from lakeshelf.lake import Lake, NameRefused
from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.place import projects, storage
from lakeshelf.lake.upkeep import doctor, requests
from lakeshelf.lake.upkeep.doctor import BAD_COMMIT, MISSING_FILE, examine
from lakeshelf.lake.upkeep.repair import repair
from tests.lake.upkeep.rig import NAME, NO_RETENTION, SCHEMA
from tests.support import eventually

FILES = 25


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
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
    options = {name.upper(): value for name, value in keys.items()} | {
        "AWS_ENDPOINT_URL": address,
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
    lake = Lake("s3://lake/root", storage_options=options)
    lake.create(NAME, SCHEMA, partition_by=("day",))
    for number in range(FILES):
        lake.append(NAME, [{"n": number, "m": 0, "day": "a b"}])
    yield lake
    client.close()
    server.terminate()
    server.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def counts(lake: Lake) -> list[int]:
    return sorted(lake.read(NAME, columns=["n"]).read_all()["n"].to_pylist())


@pytest.mark.slow
def test_a_table_in_a_bucket_is_kept_small_and_sound(lake: Lake) -> None:
    done = requests.carry_out(lake, NAME, "optimize", {"min_small_files": 2})
    assert [part["files"] for part in done.report["done"]] == [FILES]
    handle = lake.snapshot(NAME).handle
    handle.alter.set_table_properties(NO_RETENTION, post_commithook_properties=HOOKS)
    swept = requests.carry_out(lake, NAME, "vacuum", {}).report
    assert swept["files"] == FILES
    assert swept["log"] >= 19
    again = requests.carry_out(lake, NAME, "vacuum", {}).report
    assert (again["files"], again["log"]) == (0, 0)
    assert counts(lake) == list(range(FILES))
    health = examine(lake.root, NAME)
    assert (health.rows, health.files, health.orphans, health.damage) == (FILES, 1, 0, ())

    lake.append(NAME, [{"n": 99, "m": 0, "day": "lost"}])
    files, base = storage.filesystem(lake.root)
    (lost,) = [p for p in doctor.data_files(lake.snapshot(NAME).handle) if "lost" in p]
    files.delete_file(f"{base}/{NAME}/{lost}")
    latest = lake.snapshot(NAME).version
    with files.open_output_stream(f"{base}/{NAME}/_delta_log/{latest + 1:020d}.json") as cut_off:
        cut_off.write(b'{"commitInfo": {"timest')
    assert {d.kind for d in examine(lake.root, NAME).damage} == {BAD_COMMIT}
    report = repair(lake, NAME)
    assert (len(report.aside), report.lost, report.lost_rows, report.left) == (1, (lost,), 1, ())
    assert MISSING_FILE not in {d.kind for d in examine(lake.root, NAME).damage}
    assert counts(lake) == list(range(FILES))


@pytest.mark.slow
def test_datasets_of_projects_are_found_in_a_bucket(lake: Lake) -> None:
    name = "retail/shelf_policies"
    lake.create(name, SCHEMA, path=projects.main(name))
    lake.append(name, [{"n": 1, "m": 0, "day": "a"}])
    assert lake.names() == sorted([NAME, name])
    assert lake.read(name, columns=["n"]).read_all()["n"].to_pylist() == [1]
    assert examine(lake.root, name).rows == 1
    with pytest.raises(NameRefused, match="retail is a project"):
        lake.append("retail/notes", [{"n": 1}])
