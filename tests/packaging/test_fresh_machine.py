"""The README's two commands on a machine that has a Python and nothing else, as an ordinary user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
INCLUDED = "python3,python3-venv,make,ca-certificates"
PACKAGE = re.compile(r"^(\S+)==.*\n(?:[ #].*\n)*", re.MULTILINE)
KNOWN = re.findall(
    r'"Programming Language :: Python :: (3\.\d+)"', (HOME / "pyproject.toml").read_text()
)

HOURS = 3600


class Machine:
    """A root folder with Debian, in which an ordinary user has the checkout.

    Args:
        root: Folder of it.
        release: Debian's name for it.
    """

    def __init__(self, root: Path, release: str) -> None:
        self.root = root
        subprocess.run(
            ["mmdebstrap", "--variant=minbase", f"--include={INCLUDED}", release, str(root)],
            check=True,
        )
        for given in (CERTIFICATES, Path("etc/resolv.conf"), Path("etc/hosts")):
            shutil.copy(Path("/") / given, root / given)
        subprocess.run(["chroot", str(root), "useradd", "--create-home", "ann"], check=True)
        checkout = root / "home/ann/lakeshelf"
        subprocess.run(["git", "clone", "--quiet", str(HOME), str(checkout)], check=True)
        subprocess.run(["chroot", str(root), "chown", "-R", "ann:", "/home/ann"], check=True)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout as the user; the mounts are gone with it."""
        mounts = 'mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc"'
        inside = f"export PIP_CERT=/{CERTIFICATES}; cd lakeshelf && {command}"
        entered = f'{mounts} && exec chroot "$1" su - ann -c "$2"'
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", entered, "sh", str(self.root), inside],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
        pytest.skip("a root folder of Debian is made by root, with the package mmdebstrap")
    return Machine(tmp_path_factory.mktemp("machine") / "root", "trixie")


@pytest.mark.nightly
@pytest.mark.setup
@pytest.mark.timeout(3 * HOURS)
@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_a_command_of_the_readme_passes_where_only_python_is(
    machine: Machine, command: str
) -> None:
    done = machine.run(command)
    assert done.returncode == 0, f"{done.stdout[-5000:]}\n{done.stderr[-5000:]}"


def without(name: str, lock: str) -> str:
    """A lock file without one package; pyspark has no wheel, and half a GB to build for each try."""
    kept = PACKAGE.sub(lambda entry: "" if entry[1] == name else entry[0], lock)
    assert len(PACKAGE.findall(kept)) == len(PACKAGE.findall(lock)) - 1
    return kept


@pytest.mark.slow
@pytest.mark.setup
@pytest.mark.parametrize("version", KNOWN)
def test_every_package_has_a_wheel_for_each_python_that_is_named(
    tmp_path: Path, version: str
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(without("pyspark", (HOME / "requirements.lock").read_text()))
    asked = ["--dry-run", "--python-version", version, "--target", str(tmp_path / "target")]
    strict = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", str(lock)]
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", *asked, *strict],
        env={"UV_SYSTEM_CERTS": "true", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_python_without_wheels_is_named_in_one_line(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(HOME / name, tmp_path / name)
    (tmp_path / "requirements.lock").write_text("no-such-package==1 --hash=sha256:" + 64 * "0")
    tools = tmp_path / ".venv/bin"
    tools.mkdir(parents=True)
    for tool in ("python", "uv"):
        (tools / tool).symlink_to(Path(sys.executable).parent / tool)
    done = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],
        cwd=tmp_path,
        env={**os.environ, "UV_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    named = f"error: requirements.lock could not be installed for Python {sys.version.split()[0]}"
    line = [line for line in done.stderr.splitlines() if line.startswith("error: ")][-1]
    assert line.startswith(named)
    assert line.endswith("`make PYTHON=python3.13`")
