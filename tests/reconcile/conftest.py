"""The replay as it is started, and the model beside the tests: their folders are on the path."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "kafka-components" / "replay")]
