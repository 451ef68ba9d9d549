"""All contenders, declared once."""

from __future__ import annotations

from collections.abc import Sequence

from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.boosted import Boosted
from lakeshelf.forecast.model.contenders import Contender


def contenders(model: Boosted) -> Sequence[Contender]:
    """The baselines, and the model last."""
    return (*BASELINES, model)
