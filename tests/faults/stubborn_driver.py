"""A driver that tries whole batches for ever: isolation switched off, to see the tests notice."""

import sys

from lakeshelf.stack.supervision.streams_process import main
from lakeshelf.streams.run import trials

trials.DEATHS = trials.SAME_FAILURES = sys.maxsize

if __name__ == "__main__":
    sys.exit(main())
