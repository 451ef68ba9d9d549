"""Commits made one after another behind the batch, which meanwhile computes what comes next."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")
_now = threading.local()


class Lane:
    """Does work in the order in which it is given, in one thread; after a failure nothing more is done."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="commits")
        self._last: Future[object] | None = None
        self._failure: Exception | None = None

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """Do the work when all that was given before is done."""
        future = self._pool.submit(self._run, work)
        self._last = future  # type: ignore[assignment]
        return future

    def settle(self) -> None:
        """Wait until everything is done.

        Raises:
            Exception: What the first work that failed has raised.
        """
        if self._last is not None:
            self._last.exception()
        if self._failure is not None:
            raise self._failure

    def _run(self, work: Callable[[], Result]) -> Result:
        if self._failure is not None:
            raise self._failure
        _now.began = time.perf_counter()
        try:
            return work()
        except Exception as error:
            self._failure = error
            raise


def began() -> float | None:
    """When the work began that this thread of a lane does or has just done, by `time.perf_counter`; None elsewhere."""
    return getattr(_now, "began", None)


def done(result: Result) -> Future[Result]:
    """What is done already."""
    future: Future[Result] = Future()
    future.set_result(result)
    return future
