"""Parquet files become a Delta table: planned, checked, all or none, resumed after a kill.

```python
from pathlib import Path

from lakeshelf.lake import Lake
from lakeshelf.migration import Options, migrate, verify

migrate(Lake("delta"), Path("export"), "curated/sales", Options())
```
"""

from lakeshelf.migration.plan import Options
from lakeshelf.migration.report import MigrationReport
from lakeshelf.migration.run import STEPS, dry_run, migrate, verify

__all__ = ["STEPS", "MigrationReport", "Options", "dry_run", "migrate", "verify"]
