"""A migration of PostgreSQL that is killed at the n-th change it makes: `killed.py LAKE ADDRESS TABLE DATASET n`."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow.parquet as pq

from lakeshelf.lake import Lake
from lakeshelf.migration import Options, postgres
from tests.migration.killed import dies

ROWS = 400
"""Few at a time, so that it is killed between them, too."""


def main(root: Path, address: str, table: str, name: str, last: int) -> None:
    """Migrate, and die before or after whatever changes something, at the n-th of these moments."""
    postgres.ROWS = ROWS
    reached = dies(last, (pq.ParquetWriter, "write_batch"), (Path, "mkdir"))
    postgres.migrate_postgres(Lake(root), address, table, name, Options(), progress=reached)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:5], int(sys.argv[5]))
