"""`python -m tests.rooms REPORT`: what the tests cover of each room, from the report of `coverage json`."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any

GOAL = 85.0
"""Percent of lines and branches below which a room is named."""


def covered(report: Mapping[str, Any]) -> dict[str, float]:
    """Percent of lines and branches of each folder, the least first."""
    reached: Counter[str] = Counter()
    there: Counter[str] = Counter()
    for file, found in report["files"].items():
        room, figures = str(PurePath(file).parent), found["summary"]
        reached[room] += figures["covered_lines"] + figures["covered_branches"]
        there[room] += figures["num_statements"] + figures["num_branches"]
    shares = {room: 100 * reached[room] / there[room] for room in there if there[room]}
    return dict(sorted(shares.items(), key=lambda item: item[1]))


def told(shares: Mapping[str, float]) -> Iterator[str]:
    """A line for each room, and one that names those below the goal."""
    for room, share in shares.items():
        yield f"{share:6.1f} %  {room}"
    below = [room for room, share in shares.items() if share < GOAL]
    yield f"below {GOAL:.0f} %: {', '.join(below) or 'no room'}"


def main(report: Path) -> None:
    """Print the rooms of a report."""
    sys.stdout.writelines(f"{line}\n" for line in told(covered(json.loads(report.read_text()))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
