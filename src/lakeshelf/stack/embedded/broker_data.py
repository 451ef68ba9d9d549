"""Data of the embedded broker that lost their end while it was down: a copy that was cut off, a full disk.

A broker that was stopped in order does not examine its data when it starts again. It would append new records behind
half a batch, and nobody could read them. Without the marker of an orderly stop it cuts the half batch off itself.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

CLEAN = ".kafka_cleanshutdown"
"""File by which Kafka knows that it was stopped in order."""
_HEAD = Struct(">qi")
"""First offset of a batch, and how many bytes of it follow."""


def cut_off(data: Path) -> Iterator[Path]:
    """Newest segment of each partition whose last batch is not whole.

    Args:
        data: Folder of a broker that is down; nothing is found where it is not there.
    """
    for partition in sorted(data.glob("*-*")):
        segments = sorted(partition.glob("*.log"))
        if segments and not _ends_whole(segments[-1]):
            yield segments[-1]


def let_recover(data: Path) -> None:
    """See to it that Kafka examines data that lost their end as it starts."""
    if (data / CLEAN).exists() and any(cut_off(data)):
        (data / CLEAN).unlink()


def _ends_whole(segment: Path) -> bool:
    size, at = segment.stat().st_size, 0
    if not size:
        return True
    with segment.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        while at + _HEAD.size <= size:
            length = _HEAD.unpack_from(held, at)[1]
            if length <= 0:
                return False
            at += _HEAD.size + length
    return at == size
