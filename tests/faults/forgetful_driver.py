"""A driver that has forgotten what it committed: exactly-once switched off, to see the tests notice."""

import sys
from typing import Any

from lakeshelf.lake.form import commits
from lakeshelf.stack.supervision.streams_process import main
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.run import batch


def forgetful(topic: Any, *, held: bool) -> str:
    """Rows for raw, those that it holds among them."""
    return remembering(topic, held=False)


remembering = batch.intake.raw_rows
batch.intake.raw_rows = forgetful
commits.is_committed = lambda *_: False
DriverCommitter.is_committed = lambda *_: False  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
