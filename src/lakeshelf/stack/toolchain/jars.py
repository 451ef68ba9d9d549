"""The jars of `infra/jars.toml`: fetched at set-up, verified by SHA-256, only looked up later.

How a jar gets into the cache:

1. What is there and was verified (same SHA-256 asked for, same size and time) is left alone.
2. What is there otherwise is hashed; a wrong or half file is deleted.
3. What is missing is fetched into a folder of its own and hashed there.
4. A wrong one is dropped together with Ivy's copy and fetched once more.
5. A right one is moved to its place in one step, and its verification recorded.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakeshelf.errors import ToolchainError
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings
from lakeshelf.stack.toolchain import filesystem
from lakeshelf.stack.toolchain.ivy import Ivy
from lakeshelf.stack.toolchain.java import java_home

Progress = Callable[[str, int, int], None]
"""Called with a jar's name, the bytes done and the bytes to do."""

_SETUP = "run `make setup`"
_TRIES = 2


@dataclass(frozen=True)
class Jar:
    """One jar of the list.

    Attributes:
        coordinates: `group:artifact:version`.
        sets: Class paths that it belongs to: `spark`, `s3`, `broker`, `build`.
        sha256: Checksum, hexadecimal.
        size: Bytes.
    """

    coordinates: str
    sets: tuple[str, ...]
    sha256: str
    size: int

    @property
    def artifact(self) -> str:
        """Name without group and version."""
        return self.coordinates.split(":")[1]

    @property
    def file_name(self) -> str:
        """Name of the file in the cache."""
        _, artifact, version = self.coordinates.split(":")
        return f"{artifact}-{version}.jar"


def declared(settings: Settings) -> tuple[Jar, ...]:
    """All jars of `infra/jars.toml`.

    Raises:
        ToolchainError: The list is not there or cannot be read.
    """
    path = settings.home / "infra" / "jars.toml"
    try:
        entries = tomllib.loads(path.read_text())["jar"]
        return tuple(Jar(**{**entry, "sets": tuple(entry["sets"])}) for entry in entries)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ToolchainError(
            f"the list of jars {path} cannot be read: {error}",
            hint="restore it, or point LAKESHELF_HOME at the checkout",
        ) from error


def jar_paths(settings: Settings, set_name: str) -> list[Path]:
    """Files of one set, all of them verified at set-up and unchanged since.

    Args:
        settings: Where list and cache are.
        set_name: `spark`, `s3`, `broker` or `build`.

    Raises:
        ToolchainError: The set is unknown, or a jar is missing or differs from what was verified.
    """
    jars = [jar for jar in declared(settings) if set_name in jar.sets]
    if not jars:
        raise ToolchainError(f"no set of jars named {set_name}", hint="see infra/jars.toml")
    cache = JarCache(settings.cache_dir / "jars")
    for jar in jars:
        if not cache.is_verified(jar):
            state = "was changed or damaged" if cache.path(jar).exists() else "is missing"
            raise ToolchainError(f"{cache.path(jar)} {state}", hint=_SETUP)
    return [cache.path(jar) for jar in jars]


def spark_class_path(settings: Settings) -> str:
    """Value of `spark.driver.extraClassPath` and of the executors': file system first, then jars.

    Those of S3 are there where the lake is in a bucket: a JVM starts later the more it has to look through.

    Raises:
        ToolchainError: A jar is missing or damaged.
    """
    paths = [filesystem.jar_path(settings), *jar_paths(settings, "spark")]
    if not isinstance(settings.lake_root, Path):
        paths += jar_paths(settings, "s3")
    return os.pathsep.join(str(path) for path in paths)


def build_filesystem(settings: Settings) -> bool:
    """Compile the file-system classes if their jar is not there; True when that was done.

    Raises:
        ToolchainError: The compiler is missing or refuses the sources.
    """
    compiler = jar_paths(settings, "build")
    libraries = jar_paths(settings, "spark")
    return filesystem.build(settings, compiler, libraries, java_home(settings) / "bin" / "java")


def fetch(settings: Settings, progress: Progress) -> list[Jar]:
    """Bring all jars of the list into the cache; the ones that were fetched now.

    Raises:
        ToolchainError: A jar cannot be had, or comes with a wrong checksum twice.
    """
    cache = JarCache(settings.cache_dir / "jars")
    missing = [jar for jar in declared(settings) if not cache.adopt(jar, cache.path(jar))]
    if not missing:
        return []
    ivy = Ivy(
        java_home(settings) / "bin" / "java",
        settings.cache_dir.absolute() / "ivy",
        settings.maven_repository,
    )
    part = settings.cache_dir.absolute() / "jars.part"
    _fetch(missing, cache, ivy, part, progress)
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(ivy.folder, ignore_errors=True)
    return missing


def _fetch(jars: Sequence[Jar], cache: JarCache, ivy: Ivy, part: Path, progress: Progress) -> None:
    left = list(jars)
    for _ in range(_TRIES):
        on_artifact = _meter(left, progress)
        for batch in _batches(left):
            ivy.retrieve([jar.coordinates for jar in batch], part, on_artifact)
        left = [jar for jar in left if not cache.adopt(jar, part / jar.file_name)]
        if not left:
            return
        shutil.rmtree(ivy.folder, ignore_errors=True)
    raise ToolchainError(
        f"{left[0].file_name} came {_TRIES} times with a SHA-256 other than {left[0].sha256}",
        hint="check the repository (LAKESHELF_MAVEN_REPOSITORY), then infra/jars.toml",
    )


def _batches(jars: Sequence[Jar]) -> list[list[Jar]]:
    """Jars in groups that hold no two versions of one artifact: Ivy would keep the newer only."""
    batches: list[list[Jar]] = []
    for jar in jars:
        fits = (b for b in batches if all(other.artifact != jar.artifact for other in b))
        batch = next(fits, None)
        if batch is None:
            batches.append([jar])
        else:
            batch.append(jar)
    return batches


def _meter(jars: Sequence[Jar], progress: Progress) -> Callable[[str], None]:
    """Turns names of finished artifacts into bytes done of bytes to do."""
    sizes: dict[str, list[int]] = {}
    for jar in jars:
        sizes.setdefault(jar.artifact, []).append(jar.size)
    total, done = sum(jar.size for jar in jars), 0

    def on_artifact(artifact: str) -> None:
        nonlocal done
        if waiting := sizes.get(artifact):
            done += waiting.pop(0)
            progress(artifact, done, total)

    progress("", 0, total)
    return on_artifact


class JarCache:
    """The folder of verified jars, with a record of what was verified.

    A record holds SHA-256, size and modification time, so that a look-up costs one `stat` and a
    file that was touched since counts as not verified.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._record_path = self._folder / "verified.json"
        self._records: dict[str, list[object]] = self._read_records()

    def path(self, jar: Jar) -> Path:
        """Where the jar stands or would stand."""
        return self._folder / jar.file_name

    def is_verified(self, jar: Jar) -> bool:
        """Whether the file is the one whose checksum was verified."""
        recorded = self._records.get(jar.file_name)
        return recorded is not None and recorded == _record(self.path(jar), jar.sha256)

    def adopt(self, jar: Jar, file: Path) -> bool:
        """Make `file` the cache's jar if its checksum is right; delete it if not."""
        if file == self.path(jar) and self.is_verified(jar):
            return True
        if not file.is_file():
            return False
        if _sha256(file) != jar.sha256:
            file.unlink()
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        file.replace(self.path(jar))
        self._records[jar.file_name] = _record(self.path(jar), jar.sha256)
        write_atomically(self._record_path, json.dumps(self._records, indent=1).encode())
        return True

    def _read_records(self) -> dict[str, list[object]]:
        try:
            records = json.loads(self._record_path.read_text())
        except (OSError, ValueError):
            return {}
        return records if isinstance(records, dict) else {}


def _record(file: Path, sha256: str) -> list[object]:
    try:
        status = file.stat()
    except FileNotFoundError:
        return []
    return [sha256, status.st_size, status.st_mtime_ns]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
