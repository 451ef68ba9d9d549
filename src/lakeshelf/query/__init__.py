"""Queries: one pinned snapshot in every engine, and read-only SQL over all tables.

```python
from lakeshelf import query
from lakeshelf.lake import Lake

lake = Lake("delta")
served = query.serve(lake.snapshot("curated/notes", at=3), "polars", columns=["note"])
print(served.route, served.version, served.value.collect())
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakeshelf.query.engines import ENGINES, UntestedVersions
    from lakeshelf.query.errors import LimitReached, SqlError
    from lakeshelf.query.serving import Served, serve
    from lakeshelf.query.session import Limits, Result, run

_HOME = {
    "ENGINES": "engines",
    "Limits": "session",
    "LimitReached": "errors",
    "Result": "session",
    "Served": "serving",
    "SqlError": "errors",
    "UntestedVersions": "engines",
    "run": "session",
    "serve": "serving",
}

__all__ = [
    "ENGINES",
    "LimitReached",
    "Limits",
    "Result",
    "Served",
    "SqlError",
    "UntestedVersions",
    "run",
    "serve",
]


def __getattr__(name: str) -> Any:
    # One statement on the command line must not pay for every engine.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
