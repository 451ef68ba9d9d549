from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from lakeshelf.errors import ToolchainError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine import ports
from lakeshelf.stack.toolchain import jars

COORDINATES = "org.example:tiny:1.0"


def silent(name: str, done: int, total: int) -> None:
    """Progress that nobody looks at."""


def publish(repository: Path, coordinates: str, content: bytes) -> None:
    """Put a jar where a Maven repository would have it."""
    group, artifact, version = coordinates.split(":")
    folder = repository.joinpath(*group.split("."), artifact, version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{artifact}-{version}.jar").write_bytes(content)


def declare(home: Path, contents: dict[str, bytes]) -> None:
    """Write a list of jars with the checksums of these contents."""
    entries = (
        f'[[jar]]\ncoordinates = "{name}"\nsets = ["spark"]\n'
        f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nsize = {len(content)}\n'
        for name, content in contents.items()
    )
    (home / "infra").mkdir(parents=True, exist_ok=True)
    (home / "infra" / "jars.toml").write_text("\n".join(entries))


@pytest.fixture
def tiny(tmp_path: Path) -> Settings:
    """A list of one jar, and a repository on disk that has it."""
    content = b"the jar"
    declare(tmp_path, {COORDINATES: content})
    publish(tmp_path / "repository", COORDINATES, content)
    return load_settings(
        home=tmp_path,
        cache_dir=tmp_path / "cache",
        maven_repository=(tmp_path / "repository").as_uri(),
    )


def cached(settings: Settings) -> Path:
    return settings.cache_dir / "jars" / "tiny-1.0.jar"


@pytest.mark.setup
def test_jar_comes_from_the_public_repository(tmp_path: Path) -> None:
    coordinates = "org.jspecify:jspecify:1.0.0"
    real = next(j for j in jars.declared(load_settings()) if j.coordinates == coordinates)
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "jars.toml").write_text(
        f'[[jar]]\ncoordinates = "{coordinates}"\nsets = ["broker"]\n'
        f'sha256 = "{real.sha256}"\nsize = {real.size}\n'
    )
    settings = load_settings(home=tmp_path, cache_dir=tmp_path / "cache")

    jars.fetch(settings, silent)

    [path] = jars.jar_paths(settings, "broker")
    assert zipfile.is_zipfile(path)


@pytest.mark.slow
def test_second_fetch_does_nothing(tiny: Settings) -> None:
    assert [jar.coordinates for jar in jars.fetch(tiny, silent)] == [COORDINATES]
    before = cached(tiny).stat()

    assert jars.fetch(tiny, silent) == []

    assert cached(tiny).stat() == before


@pytest.mark.slow
def test_damaged_jar_is_found_and_fetched_again(tiny: Settings) -> None:
    jars.fetch(tiny, silent)
    cached(tiny).write_bytes(b"the jaR")

    with pytest.raises(
        ToolchainError, match=r"tiny-1\.0\.jar was changed or damaged; .*make setup"
    ):
        jars.jar_paths(tiny, "spark")
    assert len(jars.fetch(tiny, silent)) == 1

    assert jars.jar_paths(tiny, "spark")[0].read_bytes() == b"the jar"


@pytest.mark.slow
def test_half_download_is_fetched_again(tiny: Settings) -> None:
    cached(tiny).parent.mkdir(parents=True)
    cached(tiny).write_bytes(b"the")

    jars.fetch(tiny, silent)

    assert cached(tiny).read_bytes() == b"the jar"


@pytest.mark.slow
def test_finished_downloads_of_an_interrupted_fetch_are_kept(tiny: Settings) -> None:
    cached(tiny).parent.mkdir(parents=True)
    cached(tiny).write_bytes(b"the jar")

    assert jars.fetch(tiny, silent) == []

    assert jars.jar_paths(tiny, "spark") == [cached(tiny)]


@pytest.mark.slow
def test_wrong_jar_in_the_repository_is_refused_and_not_kept(tiny: Settings) -> None:
    publish(tiny.home / "repository", COORDINATES, b"other content")

    with pytest.raises(ToolchainError, match=r"tiny-1\.0\.jar came 2 times with a SHA-256 other"):
        jars.fetch(tiny, silent)

    assert not cached(tiny).exists()


@pytest.mark.slow
def test_next_fetch_after_a_refused_one_succeeds(tiny: Settings) -> None:
    publish(tiny.home / "repository", COORDINATES, b"other content")
    with pytest.raises(ToolchainError):
        jars.fetch(tiny, silent)
    publish(tiny.home / "repository", COORDINATES, b"the jar")

    assert len(jars.fetch(tiny, silent)) == 1


@pytest.mark.slow
def test_two_versions_of_one_artifact_are_both_fetched(tiny: Settings) -> None:
    contents = {"org.example:tiny:1.0": b"old", "org.example:tiny:2.0": b"new"}
    declare(tiny.home, contents)
    for coordinates, content in contents.items():
        publish(tiny.home / "repository", coordinates, content)

    jars.fetch(tiny, silent)

    assert [path.read_bytes() for path in jars.jar_paths(tiny, "spark")] == [b"old", b"new"]


@pytest.mark.slow
def test_jar_that_the_repository_lacks_is_named(tiny: Settings) -> None:
    declare(tiny.home, {"org.example:absent:1.0": b""})

    with pytest.raises(ToolchainError, match=r"has no org\.example#absent;1\.0"):
        jars.fetch(tiny, silent)


@pytest.mark.slow
def test_repository_that_does_not_answer_gives_one_line_with_the_reason(tiny: Settings) -> None:
    closed = tiny.model_copy(update={"maven_repository": f"http://127.0.0.1:{ports.choose(1)[0]}"})

    with pytest.raises(ToolchainError, match=r"cannot be fetched: .*Connection refused") as refused:
        jars.fetch(closed, silent)

    assert "\n" not in str(refused.value)


def test_missing_jar_is_named_with_the_command_that_brings_it(tiny: Settings) -> None:
    with pytest.raises(ToolchainError, match=r"tiny-1\.0\.jar is missing; run `make setup`"):
        jars.jar_paths(tiny, "spark")


def test_verification_of_another_checksum_does_not_count(tiny: Settings) -> None:
    cached(tiny).parent.mkdir(parents=True)
    cached(tiny).write_bytes(b"the jar")
    jars.fetch(tiny, silent)
    declare(tiny.home, {COORDINATES: b"a newer jar"})

    with pytest.raises(ToolchainError, match="changed or damaged"):
        jars.jar_paths(tiny, "spark")


def test_unreadable_list_is_named(tiny: Settings) -> None:
    (tiny.home / "infra" / "jars.toml").write_text("[[jar]]\ncoordinates = 1\n")

    with pytest.raises(ToolchainError, match=r"the list of jars .*jars\.toml cannot be read"):
        jars.declared(tiny)


def test_spark_class_path_begins_with_the_file_system(settings: Settings) -> None:
    first, *rest = jars.spark_class_path(settings).split(os.pathsep)

    assert Path(first).name.startswith("lakeshelf-filesystem-")
    assert any(Path(path).name.startswith("delta-spark_") for path in rest)


def test_a_lake_in_a_bucket_has_the_jars_of_s3_besides(settings: Settings) -> None:
    in_bucket = settings.model_copy(update={"lake_root": "s3://bucket/lake"})
    local, remote = (jars.spark_class_path(s).split(os.pathsep) for s in (settings, in_bucket))

    assert remote[: len(local)] == local
    assert any(Path(path).name.startswith("hadoop-aws-") for path in remote[len(local) :])


@pytest.mark.parametrize("name", ["spark", "s3"])
def test_no_jar_of_a_set_is_in_the_wheel_already(settings: Settings, name: str) -> None:
    from lakeshelf.stack.toolchain.ivy import pyspark_jars

    wheel = {path.name for path in pyspark_jars().glob("*.jar")}

    assert not wheel & {path.name for path in jars.jar_paths(settings, name)}


def test_s3a_is_of_the_hadoop_that_the_wheel_brings(settings: Settings) -> None:
    from lakeshelf.stack.toolchain.ivy import pyspark_jars

    brought = {path.name for path in pyspark_jars().glob("hadoop-client-api-*.jar")}

    versions = {jar.artifact: jar.coordinates.split(":")[2] for jar in jars.declared(settings)}
    assert brought == {f"hadoop-client-api-{versions['hadoop-aws']}.jar"}


def test_jars_fit_the_wheels(settings: Settings) -> None:
    from importlib.metadata import version

    versions = {jar.artifact: jar.coordinates.split(":")[2] for jar in jars.declared(settings)}

    assert versions["spark-sql-kafka-0-10_2.13"] == version("pyspark")
    assert versions["delta-spark_4.2_2.13"] == version("delta-spark")
    assert versions["delta-storage"] == version("delta-spark")


@pytest.mark.slow
def test_changed_sources_are_compiled_again_and_unchanged_ones_are_not(checkout: Path) -> None:
    settings = load_settings(home=checkout)
    own = settings.model_copy(update={"cache_dir": checkout / "cache"})
    compiler = jars.jar_paths(settings, "build")
    java = jars.java_home(settings) / "bin" / "java"
    libraries = jars.jar_paths(settings, "spark")
    assert jars.filesystem.build(own, compiler, libraries, java)
    assert not jars.filesystem.build(own, compiler, libraries, java)

    source = checkout / "infra" / "filesystem" / "BareLocalFs.java"
    source.write_text(source.read_text() + "// changed\n")

    assert jars.filesystem.build(own, compiler, libraries, java)


@pytest.mark.slow
def test_sources_that_do_not_compile_give_one_line(checkout: Path) -> None:
    settings = load_settings(home=checkout, cache_dir=checkout / "cache")
    (checkout / "infra" / "filesystem" / "Broken.java").write_text("class Broken {")
    compiler, libraries = (jars.jar_paths(load_settings(), name) for name in ("build", "spark"))
    java = jars.java_home(settings) / "bin" / "java"

    with pytest.raises(ToolchainError, match="infra/filesystem does not compile") as refused:
        jars.filesystem.build(settings, compiler, libraries, java)

    assert "\n" not in str(refused.value)
