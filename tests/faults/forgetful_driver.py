"""A driver that has forgotten what it committed: exactly-once switched off, to see the tests notice."""

import sys

from lakeshelf.contracts import Topic
from lakeshelf.lake.form import commits
from lakeshelf.stack.supervision.streams_process import main
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.take import duplicates


def forgetful(topic: Topic) -> str:
    """Fates of events, those that raw holds from before a crash taken for new ones."""
    return remembering(topic).replace(f"'{duplicates.HELD}'", f"'{duplicates.NEW}'")


remembering = duplicates.event_fates
duplicates.event_fates = forgetful
commits.is_committed = lambda *_: False
DriverCommitter.is_committed = lambda *_: False  # type: ignore[method-assign]

if __name__ == "__main__":
    sys.exit(main())
