"""Forecasts of demand: what is known of it, how it is forecast, kept, and ordered from.

`demand` makes rows of what was known on a cutoff day, `model` forecasts from them, `versions` keeps what was
trained, and `orders` makes levels and lots of a forecast.

```python
from lakeshelf import forecast
from lakeshelf.lake import Lake

lake = Lake("delta")
print(forecast.what_if(lake, {"plan_source": "ml"})["differences"])
print(forecast.forecast_of(lake, "SIM-001-00001")["parts"])
```
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakeshelf.forecast.asking import forecast_of, what_if

__all__ = ["forecast_of", "what_if"]


def __getattr__(name: str) -> Any:
    # Whoever imports a room of it must not pay for all of them.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.asking"), name)
