from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JJavaError

from lakeshelf.settings import load_settings
from lakeshelf.stack.toolchain import filesystem
from lakeshelf.stack.toolchain.ivy import pyspark_jars
from lakeshelf.stack.toolchain.java import java_home

pytestmark = pytest.mark.slow
ASKED = 20_000
FLICKER = """
import os, sys
while True:
    os.close(os.open(sys.argv[1], os.O_CREAT))
    os.unlink(sys.argv[1])
"""


@pytest.fixture(scope="module")
def jvm() -> Iterator[Any]:
    settings = load_settings()
    class_path = f"{filesystem.jar_path(settings)}{os.pathsep}{pyspark_jars()}/*"
    gateway = JavaGateway.launch_gateway(
        classpath=class_path,
        java_path=str(java_home(settings) / "bin" / "java"),
        die_on_exit=True,
    )
    yield gateway.jvm
    gateway.shutdown()
    gateway.java_process.stdin.close()
    gateway.java_process.wait(120)


@pytest.fixture(scope="module")
def configuration(jvm: Any) -> Any:
    configuration = jvm.org.apache.hadoop.conf.Configuration()
    configuration.set("fs.file.impl", filesystem.FILE_SYSTEM)
    configuration.set("fs.AbstractFileSystem.file.impl", filesystem.ABSTRACT_FILE_SYSTEM)
    return configuration


@pytest.fixture
def two_files(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    target.write_text("old")
    return source, target


def path_of(jvm: Any, file: Path) -> Any:
    return jvm.org.apache.hadoop.fs.Path(file.as_uri())


def rename_options(jvm: Any, *names: str) -> Any:
    kind = jvm.java.lang.Class.forName("org.apache.hadoop.fs.Options$Rename")
    array = jvm.java.lang.reflect.Array.newInstance(kind, len(names))
    for number, name in enumerate(names):
        array[number] = jvm.java.lang.Enum.valueOf(kind, name)
    return array


def test_rename_never_replaces_a_file(
    jvm: Any, configuration: Any, two_files: tuple[Path, Path]
) -> None:
    source, target = two_files
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)

    assert files.getClass().getName() == filesystem.FILE_SYSTEM
    assert not files.rename(path_of(jvm, source), path_of(jvm, target))

    assert (source.read_text(), target.read_text()) == ("new", "old")


def test_rename_of_a_checkpoint_file_fails_if_the_target_exists(
    jvm: Any, configuration: Any, two_files: tuple[Path, Path]
) -> None:
    source, target = two_files
    context = jvm.org.apache.hadoop.fs.FileContext.getFileContext(configuration)
    paths = path_of(jvm, source), path_of(jvm, target)

    with pytest.raises(Py4JJavaError, match="already exists"):
        context.rename(*paths, rename_options(jvm))
    assert target.read_text() == "old"

    context.rename(*paths, rename_options(jvm, "OVERWRITE"))
    assert target.read_text() == "new"
    assert not source.exists()


def test_one_of_many_writers_of_the_same_target_wins(
    jvm: Any, configuration: Any, tmp_path: Path
) -> None:
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)
    target = tmp_path / "00000000000000000001.json"
    sources = [tmp_path / f"writer-{number}" for number in range(16)]
    for source in sources:
        source.write_text(source.name)

    def rename(source: Path) -> bool:
        return bool(files.rename(path_of(jvm, source), path_of(jvm, target)))

    with ThreadPoolExecutor(8) as pool:
        won = [s for s, done in zip(sources, pool.map(rename, sources), strict=True) if done]

    assert [source.name for source in won] == [target.read_text()]


def test_written_file_has_permissions_and_no_checksum_file(
    jvm: Any, configuration: Any, tmp_path: Path
) -> None:
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)
    file = tmp_path / "part-0.parquet"
    permission = jvm.org.apache.hadoop.fs.permission.FsPermission("640")

    files.create(path_of(jvm, file)).close()
    files.setPermission(path_of(jvm, file), permission)

    assert [found.name for found in tmp_path.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert files.getFileStatus(path_of(jvm, file)).getPermission().toString() == "rw-r-----"


def test_a_file_that_is_made_while_its_status_is_asked_is_there_or_is_not_found(
    jvm: Any, configuration: Any, tmp_path: Path
) -> None:
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)
    path = path_of(jvm, tmp_path / "file")
    flicker = subprocess.Popen([sys.executable, "-c", FLICKER, str(tmp_path / "file")])
    try:
        answers = [files.exists(path) for _ in range(ASKED)]
    finally:
        flicker.kill()
        flicker.wait()

    assert set(answers) == {True, False}


def test_status_of_an_absent_file_is_file_not_found(
    jvm: Any, configuration: Any, tmp_path: Path
) -> None:
    files = jvm.org.apache.hadoop.fs.FileSystem.get(configuration)
    (tmp_path / "file").touch()

    assert not files.exists(path_of(jvm, tmp_path / "absent"))
    with pytest.raises(Py4JJavaError, match="FileNotFoundException"):
        files.getFileStatus(path_of(jvm, tmp_path / "file" / "below"))
