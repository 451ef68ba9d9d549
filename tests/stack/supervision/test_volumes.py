"""A volume that is full, or that belongs to another user: each process that needs it ends in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.files import write_atomically
from lakeshelf.stack.supervision import handover
from lakeshelf.status_files import STREAMS

HOME = Path(__file__).parents[3]
pytestmark = pytest.mark.slow
OBEYING = [
    "setpriv",
    *(f"--{caps}=-dac_override,-dac_read_search" for caps in ("bounding-set", "inh-caps")),
]
"""What makes root obey permissions."""
COMMANDS = {
    "broker": ("-m", "lakeshelf.cli.main", "run", "broker"),
    "worker": ("-m", "lakeshelf.cli.main", "run", "worker"),
    "api": ("-m", "lakeshelf.cli.main", "run", "api"),
    "supervisor": ("-m", "lakeshelf.cli.main", "up", "--no-watch"),
    "spark-init-delta": (str(HOME / "spark-apps" / "deltalake" / "init_delta.py"),),
}
"""What a container runs that needs the volume of the lake, or that of Kafka, first of all."""
NOT_ON_A_FULL_ONE = {"worker"}
"""It writes nothing but its status, and judges rows all the same."""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of another user."""
    if os.geteuid() != 0:
        pytest.skip("giving a folder to another user needs root")
    folder = tmp_path / "volume"
    folder.mkdir(mode=0o755)
    os.chown(folder, 10001, 10001)
    return folder


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system without any room."""
    folder = tmp_path / "volume"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], check=False, capture_output=True
    )
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def _line(volume: Path, part: str, *prefix: str) -> str:
    """The one line with which a part ends."""
    variables = {"LAKESHELF_LAKE_ROOT": str(volume)}
    done = subprocess.run(
        [*prefix, sys.executable, *COMMANDS[part]],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    (line,) = done.stderr.strip().splitlines()
    return line


@pytest.mark.parametrize("part", COMMANDS)
def test_a_volume_of_another_user_is_named_with_the_command_that_helps(
    foreign: Path, part: str
) -> None:
    """The image runs as 10001, and a volume that somebody else made belongs to root; here it is the other way round."""
    line = _line(foreign, part, *OBEYING)
    assert re.match(rf"error: .*{foreign}\S*: Permission denied; ", line), line
    assert f"{foreign} belongs to user 10001, and this process is user 0" in line
    assert f"`chown -R 0 {foreign}`" in line
    assert list(foreign.iterdir()) == []


@pytest.mark.parametrize("part", sorted(COMMANDS.keys() - NOT_ON_A_FULL_ONE))
def test_a_full_volume_is_named_and_room_is_all_that_it_takes(full: Path, part: str) -> None:
    """What began to write leaves nothing that would be in the way once there is room."""
    line = _line(full, part)
    assert re.match(
        rf"error: .*{full}\S* ?.*(No space left on device|disk is full).*; free some space", line
    ), line
    if part == "spark-init-delta":
        (full / "filler").unlink()
        variables = os.environ | {"LAKESHELF_LAKE_ROOT": str(full)}
        subprocess.run(
            [sys.executable, *COMMANDS[part]], env=variables, check=True, stdout=subprocess.DEVNULL
        )


def test_a_status_that_cannot_be_written_ends_no_process(full: Path) -> None:
    """The last one stays; any other file says which it is."""
    STREAMS.write(full, [])
    assert STREAMS.read(full) == {}
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(full / "other.json", b"{}" * 4096)
    assert caught.value.filename == str(full / "other.json")
    assert [file.name for file in full.iterdir()] == ["filler"]


def test_a_process_by_itself_says_it_in_the_same_words(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refusals of the system are no surprise; what has no file is."""
    assert handover.ended(PermissionError(13, "Permission denied", str(foreign / "a"))) == 1
    assert handover.ended(OSError("what is this")) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: {foreign}/a: Permission denied; ")
    assert second == "error: unexpected OSError: what is this"


def test_a_folder_that_cannot_be_looked_into_is_told_alike(foreign: Path) -> None:
    """The image makes its volume for its own user and group alone."""
    foreign.chmod(0o700)
    line = _line(foreign, "spark-init-delta", *OBEYING)
    assert re.match(rf"error: {foreign}/raw\S*: Permission denied; {foreign} belongs to", line), (
        line
    )
