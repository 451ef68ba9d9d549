"""Environments of peers: one for each, made from its lock file and kept for the next run."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.machine import home
from lakeshelf.settings import load_settings

PROGRAMS = "benchmarks/peer_programs"
INSTALL_S = 900.0
LINE = 300
ADDRESS = re.compile(r"\w+://\S+")


class Unavailable(Exception):  # noqa: N818 - says what is missing
    """A peer that cannot be installed or does not do its work here; the reason is one line."""


def program(peer: str) -> Path:
    """The program of a peer."""
    return home() / PROGRAMS / f"{peer}_sums.py"


def lock(peer: str) -> Path:
    """Its lock file."""
    return home() / PROGRAMS / f"{peer}.lock"


def version(peer: str, package: str) -> str:
    """Version of a package in the lock file of a peer."""
    pins = (line.split()[0] for line in lock(peer).read_text().splitlines() if "==" in line)
    return next(pin.partition("==")[2] for pin in pins if pin.split("=")[0] == package)


def python(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made where it is not there.

    Raises:
        Unavailable: It cannot be installed here.
    """
    digest = hashlib.sha256(lock(peer).read_bytes()).hexdigest()[:12]
    folder = load_settings().cache_dir / "peers" / f"{peer}-{digest}"
    interpreter = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(folder))
        install = ("pip", "install", "--quiet", "--require-hashes", "--only-binary", ":all:")
        _run(sys.executable, "-m", "uv", *install, "--python", str(interpreter), "-r", str(lock(peer)))  # fmt: skip
        (folder / "ready").touch()
    return interpreter


def installed(requirements: Iterable[str], folder: Path, constraints: Path) -> tuple[float, int]:
    """Install something into an environment of its own, nothing of it from a cache.

    Args:
        requirements: What.
        folder: Where; it is not there yet.
        constraints: Lock file that says in which versions.

    Returns:
        Seconds, and bytes.

    Raises:
        Unavailable: It cannot be installed here.
    """
    _run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, str(folder))
    before, began = _size(folder), time.monotonic()
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-cache"),
        *("--python", str(folder / "bin" / "python"), "--constraint", str(constraints)),
        *requirements,
    )
    return time.monotonic() - began, _size(folder) - before


def _size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())


def _run(*command: str) -> None:
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            env={"UV_SYSTEM_CERTS": "true", **os.environ},  # as in the Makefile
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"not installed within {INSTALL_S:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"cannot be installed: {last_line(error.stderr)}") from None


def last_line(text: str) -> str:
    """What a program said last, shortened, without addresses."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return ADDRESS.sub("…", lines[-1])[:LINE] if lines else "it said nothing"
