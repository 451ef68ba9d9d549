"""Ports of the loopback interface: chosen once, remembered in a file, checked before use.

A port that was chosen is free for a while, until a JVM has started that listens there. On Linux, a name that ends with
this process keeps others from choosing it meanwhile.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from lakeshelf.errors import BrokerError
from lakeshelf.files import read_json, write_atomically

LOOPBACK = "127.0.0.1"
# Below 32768, where Linux takes the ports of outgoing connections from: a remembered port there
# would sooner or later be somebody's.
RANGE = range(20_000, 32_768)
_TRIES = 1_000
_KEPT = 32
"""Ports that are kept; those that were chosen before are in use, or nobody wants them any more."""
_names: list[socket.socket] = []


def is_free(port: int) -> bool:
    """Whether a server could listen on the loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
    return False


def answers(port: int, *, timeout: float = 0.2) -> bool:
    """Whether something accepts connections on the loopback port."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout):
        return True
    return False


def remembered(file: Path, names: Sequence[str]) -> dict[str, int]:
    """The ports of a file, one a name; chosen among the free ones and written if it has none.

    Raises:
        BrokerError: No port is free.
    """
    known = read(file)
    if set(known) != set(names):
        known = dict(zip(names, choose(len(names)), strict=True))
        write_atomically(file, json.dumps(known, indent=1).encode())
    return known


def choose(count: int) -> list[int]:
    """That many different free ports of `RANGE`.

    Raises:
        BrokerError: There are not as many.
    """
    candidates = random.SystemRandom().sample(RANGE, _TRIES)
    free = list(itertools.islice(filter(_keeps, candidates), count))
    if len(free) < count:
        raise BrokerError(
            f"no {count} free ports between {RANGE.start} and {RANGE.stop}",
            hint="stop servers on this machine",
        )
    return free


def _keeps(port: int) -> bool:
    """Keep a port for this process; whether it is free, and no other process keeps it."""
    if not is_free(port):
        return False
    if sys.platform == "linux":
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            name.bind(f"\0lakeshelf-port-{port}")
        except OSError:
            name.close()
            return False
        _names.append(name)
        while len(_names) > _KEPT:
            _names.pop(0).close()
    return True


def read(file: Path) -> dict[str, int]:
    """The ports of a file; none of one that is not there, or that says anything else."""
    ports = read_json(file)
    are_ports = all(isinstance(port, int) and 0 < port < 65_536 for port in ports.values())
    return ports if are_ports else {}
