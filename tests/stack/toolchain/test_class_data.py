"""The archive of class data: made by a driver that ends in order, used by the next, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.toolchain import class_data, jars, java
from tests.support import eventually

ARCHIVED_S = 240.0
"""A busy machine takes minutes to write an archive; a broker that is killed meanwhile leaves none."""
SESSION = """
import os, sys
from lakeshelf.settings import load_settings
from lakeshelf.stack.toolchain import class_data, jars, java
from lakeshelf.streams.run import session
settings = load_settings(cache_dir=sys.argv[1])
real = load_settings()
class_path = jars.spark_class_path(real)
os.environ["JAVA_HOME"] = str(java.java_home(real))
kept = class_data.used_or_made(settings, class_path)
print(kept)
spark = session.build(real, class_path, master="local[1]", java_options=kept)
print(spark.sql("SELECT 1 AS one").collect()[0].one)
spark.stop()
"""


@pytest.fixture
def kept(tmp_path: Path) -> Settings:
    return load_settings(cache_dir=tmp_path / "cache")


@pytest.fixture
def class_path() -> str:
    return jars.spark_class_path(load_settings())


def written(archive: Path, content: bytes) -> Path:
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(content)
    return archive


def test_half_an_archive_is_not_used_and_is_made_again(kept: Settings, class_path: str) -> None:
    archive = written(class_data.place(kept, class_path), b"\0" * 4096)
    assert class_data.used(kept, class_path) == ""
    assert f"ArchiveClassesAtExit={archive}" in class_data.used_or_made(kept, class_path)
    written(archive, class_data.MAGIC + b"\0" * 4096)
    assert f"SharedArchiveFile={archive}" in class_data.used_or_made(kept, class_path)


def test_a_jar_that_was_fetched_again_has_an_archive_of_its_own(
    kept: Settings, class_path: str, tmp_path: Path
) -> None:
    jar = written(tmp_path / "a.jar", b"1")
    before = class_data.place(kept, f"{class_path}:{jar}")
    os.utime(jar, (1, 1))
    assert class_data.place(kept, f"{class_path}:{jar}") != before


def test_archives_of_long_ago_are_removed(kept: Settings, class_path: str) -> None:
    place = class_data.place(kept, class_path)
    old = [written(place.with_name(f"{n}.jsa"), b"old") for n in range(5)]
    for number, archive in enumerate(old):
        os.utime(archive, (number, number))
    class_data.used_or_made(kept, class_path)
    assert [archive.name for archive in old if archive.exists()] == ["2.jsa", "3.jsa", "4.jsa"]


def test_where_no_option_can_name_it_there_is_none(tmp_path: Path, class_path: str) -> None:
    blank = load_settings(cache_dir=tmp_path / "with a blank")
    written(class_data.place(blank, class_path), class_data.MAGIC)
    assert class_data.used_or_made(blank, class_path) == ""


def test_where_nothing_can_be_written_there_is_none(tmp_path: Path, class_path: str) -> None:
    taken = load_settings(cache_dir=tmp_path)
    written(tmp_path / class_data.FOLDER, b"a file where the folder should be")
    assert class_data.used_or_made(taken, class_path) == ""


def session(cache: Path) -> list[str]:
    """Options of a session that runs to its end, and what it finds."""
    command = [sys.executable, "-c", SESSION, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "cds" not in done.stderr, done.stderr
    return done.stdout.splitlines()[-2:]


@pytest.mark.slow
def test_a_session_that_ends_in_order_leaves_an_archive_that_the_next_one_uses(
    tmp_path: Path, class_path: str
) -> None:
    home = java.java_home(load_settings())
    if not list(home.glob("lib/server/classes*.jsa")):
        pytest.skip("a Java that brings no archive of its own makes none")
    archive = class_data.place(load_settings(cache_dir=tmp_path), class_path)
    options, found = session(tmp_path)
    assert ("ArchiveClassesAtExit" in options, found) == (True, "1")
    eventually(lambda: class_data.is_whole(archive), "the archive is written", ARCHIVED_S)
    options, found = session(tmp_path)
    assert (f"SharedArchiveFile={archive}" in options, found) == (True, "1")
    archive.write_bytes(class_data.MAGIC + os.urandom(100_000))
    assert session(tmp_path)[1] == "1"


@pytest.mark.slow
def test_a_broker_that_is_stopped_leaves_an_archive_that_the_next_one_starts_with(
    tmp_path: Path,
) -> None:
    home = java.java_home(load_settings())
    if not list(home.glob("lib/server/classes*.jsa")):
        pytest.skip("a Java that brings no archive of its own makes none")
    settings = load_settings(lake_root=tmp_path / "lake", cache_dir=own_cache(tmp_path))
    made = [started_and_stopped(Broker(settings)) for _ in range(2)]
    (archive,) = (settings.cache_dir / class_data.FOLDER).iterdir()
    assert f"-XX:ArchiveClassesAtExit={archive}" in made[0]
    assert f"-XX:SharedArchiveFile={archive}" in made[1]


def own_cache(folder: Path) -> Path:
    """A cache with the jars of the checkout, and nothing else."""
    cache = folder / "cache"
    cache.mkdir()
    (cache / "jars").symlink_to(load_settings().cache_dir.absolute() / "jars")
    return cache


def started_and_stopped(broker: Broker) -> list[str]:
    """The command line of a broker that ran."""
    broker.start()
    broker.wait_healthy()
    assert broker.process is not None
    command = psutil.Process(broker.process.pid).cmdline()
    broker.stop(ARCHIVED_S)
    return command
