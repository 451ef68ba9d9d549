"""A lake with a `bronze/`, and workers as real processes that a test may kill."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakeshelf.ingestion import Scan, scan
from lakeshelf.ingestion.domain.choosing import BatchLimits
from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.ingestion.io.manifest import Manifest
from lakeshelf.ingestion.io.rejects import Rejects
from lakeshelf.lake import Lake
from lakeshelf.lake.form.dataset import Datasets

AT_ONCE = timedelta(0)
POS = "silver/pos"
WORKER = """
import sys
from datetime import timedelta
from pathlib import Path
from tests.ingestion.rig import Rig
rig = Rig(Path(sys.argv[1]))
rig.lease = timedelta(seconds=float(sys.argv[2]))
rig.scan(limit=int(sys.argv[3]), wait=True)
"""


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Rig:
    """One lake.

    Args:
        root: Its folder.
        clock: Its time; None: the time of day.
        catalog: Its datasets; None: the product's.
    """

    def __init__(
        self, root: Path, clock: Clock | None = None, catalog: Datasets | None = None
    ) -> None:
        self.root = root
        given = {"clock": clock} if clock else {}
        self.lake = Lake(root, catalog, **given)  # type: ignore[arg-type]
        self.lease = timedelta(seconds=20)

    def drop(self, path: str, content: str | bytes) -> Path:
        """Put a file below `bronze/`."""
        file = self.root / "bronze" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        return file

    def scan(self, limit: int = 400, wait: bool = False, **how: Any) -> Scan:
        """Scan without looking twice."""
        return scan(
            self.lake,
            settle=AT_ONCE,
            wait=wait,
            limits=BatchLimits(limit),
            **{"lease": self.lease} | how,
        )

    def files(self) -> list[File]:
        """The manifest."""
        return Manifest(self.lake).files()

    def statuses(self) -> dict[str, str]:
        """Path → state, of the newest content."""
        return {file.path: file.status for file in self.files()}

    def rows(self, name: str = POS, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of a dataset, in order; the file and line first."""
        if name not in self.lake.names():
            return []
        found = self.lake.read(name).read_all()
        wanted = ["file_id", "file_line", *(columns or sorted(found.column_names))]
        rows = zip(*(found[c].to_pylist() for c in wanted), strict=True)
        return sorted(rows, key=lambda row: (row[:2], repr(row)))

    def rules(self, file_id: int = 1) -> list[tuple[int, str, str, str | None]]:
        """Refusals of a file that are not resolved: line, rule, column, value."""
        return [
            (row["file_line"], row["rule"], row["column"], row["value"])
            for row in Rejects(self.lake).of([file_id], unresolved=True)
        ]

    def start(self, limit: int = 400, lease: float = 20, **environment: str) -> Any:
        """Start a worker process."""
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, str(self.root), str(lease), str(limit)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(("src", "."))} | environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def csv(*rows: Sequence[object], header: str = "store_id,event_time,qty") -> str:
    """A CSV file."""
    return "\n".join((header, *(",".join(map(str, row)) for row in rows))) + "\n"


def sales(*quantities: object) -> str:
    """A CSV file of sales, one a quantity; what is no number is refused once the type is known."""
    return csv(*(("S1", "2024-01-01T10:00:00Z", quantity) for quantity in quantities))


def whole_and_once(rows: Sequence[tuple[Any, ...]]) -> bool:
    """Whether no line of a file is there twice."""
    return max(Counter(row[:2] for row in rows).values(), default=1) == 1
