"""Files become rows of datasets, exactly once: dropped into `bronze/` or uploaded.

```python
from lakeshelf.ingestion import scan
from lakeshelf.lake import Lake

print(scan(Lake("delta")).as_json())
```

`domain` judges, `services` order the steps, `io` reads and commits. docs/ingestion.md tells what holds.
"""

from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.ingestion.services import Rebuild, Scan, force, rebuild, retry, scan, upload, watch

__all__ = ["File", "Rebuild", "Scan", "force", "rebuild", "retry", "scan", "upload", "watch"]
