"""A driver that has forgotten what it committed: exactly-once switched off, to see the tests notice."""

import sys

from lakeshelf.lake import commits
from lakeshelf.stack.streams_process import main

commits.is_committed = lambda *_: False

if __name__ == "__main__":
    sys.exit(main())
