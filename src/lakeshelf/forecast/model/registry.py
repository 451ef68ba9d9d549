"""All contenders, declared once."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.contenders import Contender
from lakeshelf.forecast.model.tail import TailRates


def contenders(model: Contender) -> Sequence[Contender]:
    """The baselines, rates of the tail, and the model last."""
    return (*BASELINES, TailRates(), model)
