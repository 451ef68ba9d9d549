"""Memory that reading took, given back before a model is trained."""

from __future__ import annotations

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Have memory that was let go given back to the machine: libraries that read rows keep it from those that train."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)
