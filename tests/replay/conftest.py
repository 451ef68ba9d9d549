"""The replay as a component is started: its folder is on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "kafka-components" / "replay"))
