"""Delta without a JVM: datasets by name, read at a version, written by one commit each.

```python
from lakeshelf.lake import Lake

lake = Lake("delta")
lake.append("curated/notes", [{"shelf_id": "A1", "note": "dusty"}])
print(lake.read("curated/notes", where=[("shelf_id", "=", "A1")]).read_all())
```
"""

from lakeshelf.errors import LakeError
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.lake.form.dataset import Dataset, Datasets
from lakeshelf.lake.form.metadata import Stamp
from lakeshelf.lake.history.changes import Changes
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.lake import Lake
from lakeshelf.lake.place.errors import (
    Conflict,
    Damaged,
    FeatureRefused,
    KeyViolation,
    NameRefused,
    NotFound,
    PredicateError,
    SchemaError,
    StorageError,
    TimeOutOfRange,
    Vacuumed,
    VersionNotFound,
)
from lakeshelf.lake.rows.conditions import all_of, any_of, not_
from lakeshelf.lake.rows.snapshot import Entry, Snapshot
from lakeshelf.lake.table import Table, open_table

__all__ = [
    "Changes",
    "Commit",
    "Conflict",
    "Consumer",
    "Damaged",
    "Dataset",
    "Datasets",
    "Entry",
    "FeatureRefused",
    "KeyViolation",
    "Lake",
    "LakeError",
    "NameRefused",
    "NotFound",
    "PredicateError",
    "SchemaError",
    "Snapshot",
    "Stamp",
    "StorageError",
    "Table",
    "TimeOutOfRange",
    "Txn",
    "Vacuumed",
    "VersionNotFound",
    "all_of",
    "any_of",
    "not_",
    "open_table",
]
