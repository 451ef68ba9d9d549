"""Ports are chosen for one process: until it listens there, no other one chooses them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lakeshelf
from lakeshelf.errors import BrokerError
from lakeshelf.stack.machine import ports

FEW = range(20_100, 20_140)
CHOOSE = f"""
import sys
from lakeshelf.stack.machine import ports
ports.RANGE, ports._TRIES = {FEW}, {len(FEW)}
print(*ports.choose(15), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are few ports, so that two who choose by chance would choose the same."""
    monkeypatch.setattr(ports, "RANGE", FEW)
    monkeypatch.setattr(ports, "_TRIES", len(FEW))
    monkeypatch.setattr(ports, "_names", [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with a process")
@pytest.mark.usefixtures("few")
def test_what_a_process_has_chosen_no_other_one_chooses_while_it_lives() -> None:
    environ = {**os.environ, "PYTHONPATH": str(Path(lakeshelf.__file__).parents[1])}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", CHOOSE], env=environ, stdin=pipe, stdout=pipe, text=True
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        assert len(theirs) == 15
        assert theirs.isdisjoint(ports.choose(10))
        with pytest.raises(BrokerError, match="no 30 free ports"):
            ports.choose(30)


@pytest.mark.usefixtures("few")
def test_as_many_are_kept_as_may_be_on_their_way() -> None:
    for _ in range(5):
        ports.choose(7)
    assert len(ports._names) <= ports._KEPT < 5 * 7
