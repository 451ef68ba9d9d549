"""How sure a gain is: a paired bootstrap over weeks and stores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.model.rows import STORE, days, texts

REPEATS = 2_000
"""How often weeks and stores are drawn again."""


def cells(rows: pa.Table, loss: Floats) -> Floats:
    """Sums of losses, a week a row, a store a column.

    Args:
        rows: `feature_date` and `store_id`.
        loss: Weighted loss of each row.
    """
    weeks = (days(rows) - days(rows).min()).astype(np.int64) // 7
    _, stores = np.unique(texts(rows, STORE).astype(str), return_inverse=True)
    shape = int(weeks.max()) + 1, int(stores.max()) + 1
    places = np.ravel_multi_index((weeks, stores), shape)
    return np.asarray(np.bincount(places, loss, shape[0] * shape[1]).reshape(shape), np.float64)


def gains(model: Floats, other: Floats, *, seed: int, repeats: int = REPEATS) -> Floats:
    """1 - model ÷ other, each time with weeks and stores drawn anew, the same ones for both.

    Args:
        model: Losses of a model, as `cells` sums them.
        other: Losses of who it is compared with.
        seed: Of the draws.
        repeats: How many draws.
    """
    random = np.random.default_rng(seed)
    weeks, stores = (_drawn(random, size, repeats) for size in model.shape)
    totals = (np.einsum("rw,ws,rs->r", weeks, losses, stores) for losses in (model, other))
    mine, theirs = totals
    return np.asarray(1 - mine / np.where(theirs > 0, theirs, np.nan))


def _drawn(random: np.random.Generator, size: int, repeats: int) -> npt.NDArray[np.float64]:
    """How often each of `size` is drawn, when as many are drawn with replacement."""
    return random.multinomial(size, np.full(size, 1 / size), repeats).astype(float)
