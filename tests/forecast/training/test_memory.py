"""What was let go is the machine's again."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from lakeshelf.forecast.training.memory import give_back
from lakeshelf.stack.machine.memory import resident

MIB = 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="never: the allocator of Linux is asked")
def test_memory_that_was_let_go_in_small_pieces_is_given_back() -> None:
    give_back()
    before = resident(os.getpid())
    pieces = [np.ones(2**10) for _ in range(20_000)]  # 8 KiB each, from the heap
    last = np.ones(2**10)  # what lies above them keeps the heap from shrinking by itself
    del pieces
    let_go = resident(os.getpid())
    assert let_go - before > 100 * MIB
    give_back()
    assert resident(os.getpid()) - before < 30 * MIB
    assert last.all()
