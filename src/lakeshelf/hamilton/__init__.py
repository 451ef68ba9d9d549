"""Apache Hamilton: data frames of a dataflow as Delta tables, by the name `delta`.

Importing it registers loaders (`from_.delta`, `@load_from.delta`), savers (`to.delta`, `@save_to.delta`), the format
of the cache (`@cache(format="delta")`, beside `parquet`), and how Arrow tables and `DeltaRef` are fingerprinted.
"""

from lakeshelf.hamilton.adapters import register
from lakeshelf.hamilton.refs import DeltaRef

register()

__all__ = ["DeltaRef"]
