"""A migration of PostgreSQL whose memory is measured: `measured.py LAKE ADDRESS TABLE ROWS` prints the peak in KiB.

delta-rs holds the file that it is writing. Files are small here, so that it holds little and a table need not be large.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from deltalake import WriterProperties

from lakeshelf.lake import Lake
from lakeshelf.lake.write import writing
from lakeshelf.migration import Options, postgres
from lakeshelf.migration import rows as source
from tests.query.streaming import peak_kib

FILE_BYTES, FILE_ROWS = 2**20, 10_000
FORGET_PEAK = "5"


def main(root: Path, address: str, table: str, rows: int) -> int:
    """The peak while a table is migrated, with so many rows in memory at a time."""
    postgres.ROWS = source.BATCH_ROWS = rows
    writing.write_deltalake = partial(
        writing.write_deltalake,
        target_file_size=FILE_BYTES,
        writer_properties=WriterProperties(max_row_group_size=FILE_ROWS),
    )
    lake = Lake(root)
    postgres.migrate_postgres(lake, address, "warm", "curated/warm", Options())
    Path("/proc/self/clear_refs").write_text(FORGET_PEAK, encoding="ascii")
    postgres.migrate_postgres(lake, address, table, "curated/measured", Options())
    return peak_kib()


if __name__ == "__main__":
    sys.stdout.write(str(main(Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4]))))
