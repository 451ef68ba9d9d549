"""The Java classes of `infra/filesystem`: a local file system for Hadoop, and Delta's log in a bucket.

Compiled at set-up with the Eclipse compiler, a plain jar, so that a Java without `javac` is enough.
The jar's name carries a hash of the sources: changed sources mean another jar.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from lakeshelf.errors import ToolchainError
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings
from lakeshelf.stack.toolchain.ivy import pyspark_jars

FILE_SYSTEM = "io.lakeshelf.fs.BareLocalFileSystem"
ABSTRACT_FILE_SYSTEM = "io.lakeshelf.fs.BareLocalFs"
_RELEASE = "17"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def jar_path(settings: Settings) -> Path:
    """The compiled jar.

    Raises:
        ToolchainError: It was not built from the sources that are there, or is damaged.
    """
    path = _target(settings)
    if not zipfile.is_zipfile(path):
        raise ToolchainError(f"{path} is missing or damaged", hint="run `make setup`")
    return path


def build(
    settings: Settings, compiler: Sequence[Path], libraries: Sequence[Path], java: Path
) -> bool:
    """Compile the classes unless their jar is there; True when it was built now.

    Args:
        settings: Where sources and cache are.
        compiler: Jars of the Eclipse compiler.
        libraries: Jars that the sources need beside those of pyspark.
        java: The `java` program.

    Raises:
        ToolchainError: No sources, or the compiler refuses them.
    """
    target = _target(settings)
    if zipfile.is_zipfile(target):
        return False
    for old in target.parent.glob("lakeshelf-filesystem-*.jar"):
        old.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    classes = Path(tempfile.mkdtemp(dir=target.parent, prefix=".classes-"))
    try:
        _compile(_sources(settings), classes, compiler, libraries, java)
        write_atomically(target, _archive(classes))
    finally:
        shutil.rmtree(classes)
    return True


def _sources(settings: Settings) -> list[Path]:
    folder = settings.home / "infra" / "filesystem"
    sources = sorted(folder.glob("*.java"))
    if not sources:
        raise ToolchainError(
            f"no Java sources in {folder}", hint="point LAKESHELF_HOME at the checkout"
        )
    return sources


def _target(settings: Settings) -> Path:
    digest = hashlib.sha256()
    for source in _sources(settings):
        digest.update(source.read_bytes())
    name = f"lakeshelf-filesystem-{digest.hexdigest()[:12]}.jar"
    return settings.cache_dir.absolute() / "jars" / name


def _compile(
    sources: Sequence[Path],
    classes: Path,
    compiler: Sequence[Path],
    libraries: Sequence[Path],
    java: Path,
) -> None:
    own = (f"{name}-*.jar" for name in ("hadoop-client-api", "jackson-databind", "jackson-core"))
    path = [*libraries, *(jar for pattern in own for jar in sorted(pyspark_jars().glob(pattern)))]
    command = [str(java), "-cp", os.pathsep.join(map(str, compiler))]
    command += ["org.eclipse.jdt.internal.compiler.batch.Main", "-proc:none", "-nowarn"]
    command += ["-source", _RELEASE, "-target", _RELEASE, "-d", str(classes)]
    command += ["-cp", os.pathsep.join(map(str, path)), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = " ".join((done.stderr or done.stdout).split())
        raise ToolchainError(f"infra/filesystem does not compile: {reason[:500]}")


def _archive(classes: Path) -> bytes:
    """The compiled classes as a jar, the same bytes for the same classes."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(classes.rglob("*.class")):
            name = file.relative_to(classes).as_posix()
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), file.read_bytes())
    return buffer.getvalue()
