"""Tables in a bucket are compacted, vacuumed, examined and repaired like those in a folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lakeshelf.lake import Lake, NameRefused
from lakeshelf.lake.form.commits import HOOKS
from lakeshelf.lake.place import projects, storage
from lakeshelf.lake.upkeep import doctor, requests
from lakeshelf.lake.upkeep.doctor import BAD_COMMIT, MISSING_FILE, examine
from lakeshelf.lake.upkeep.repair import repair
from tests.lake.upkeep.rig import NAME, NO_RETENTION, SCHEMA
from tests.s3.serving import serving

FILES = 25


@pytest.fixture(scope="module")
def lake() -> Iterator[Lake]:
    with serving() as server:
        lake = Lake(f"s3://{server.bucket()}/root", storage_options=server.options)
        lake.create(NAME, SCHEMA, partition_by=("day",))
        for number in range(FILES):
            lake.append(NAME, [{"n": number, "m": 0, "day": "a b"}])
        yield lake


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
