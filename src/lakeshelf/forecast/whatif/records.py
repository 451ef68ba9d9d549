"""What another policy would have meant, as programs read it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from lakeshelf.counts import count_of
from lakeshelf.forecast.whatif.answers import GROUPS, WhatIfAnswer, apart
from lakeshelf.forecast.whatif.comparison import PolicyDifference
from lakeshelf.forecast.whatif.forecasts import Forecasts
from lakeshelf.forecast.whatif.history import FLOOR_OF_DEMAND
from lakeshelf.forecast.whatif.lakes import ReplayedShop

MEASURES = {
    "fill": ("fill (sold of wanted)", 4),
    "lost_units": ("lost units", 0),
    "lost_margin": ("lost margin", 2),
    "stock": ("stock a shelf, units", 2),
    "stock_days": ("stock-days", 0),
    "orders": ("orders", 0),
    "ordered": ("units ordered", 0),
    "wasted": ("waste, units", 0),
    "waste_cost": ("waste, cost", 2),
    "holding": ("holding, cost", 2),
    "cost": ("cost (margin, waste, holding)", 2),
}
"""Measure → what people read, and digits behind the point."""
CHIEF = ("fill", "lost_units", "stock", "orders", "wasted", "cost")
"""Measures of stores and categories that people see; programs get all."""
FEW_DAYS = 28


def as_record(
    shop: ReplayedShop, change: Mapping[str, Any], answer: WhatIfAnswer
) -> dict[str, Any]:
    """Everything, with every measure.

    Args:
        shop: The shop.
        change: `set` and `change_request`: what was changed.
        answer: What it would have meant.
    """
    rows, others = apart(shop.history)
    return {
        "since": shop.first,
        "until": shop.last,
        "shelves": len(rows),
        "shelves_by_measure": len(others),
        **change,
        "wanted_units": int(shop.history.units[:, rows].sum()),
        "lost_sales_units": shop.lost_units,
        "shelves_without_profile": shop.nameless,
        "model": _model(shop.forecasts),
        "notes": notes(shop),
        "differences": [_record(one) for one in answer.whole],
        "by_measure": [_record(one) for one in answer.by_measure],
        **{
            _plural(column): [
                {column: value, "differences": [_record(one) for one in differences]}
                for value, differences in groups.items()
            ]
            for column, groups in answer.groups.items()
        },
        "most_changed": list(answer.shelves),
        "frontier": [
            {"policy": point.policy, **{n: _number(v) for n, v in point.measures.items()}}
            for point in answer.frontier
        ],
    }


def _model(said: Forecasts | None) -> dict[str, Any] | None:
    """Whose forecasts they are, and of how many cutoff days."""
    if said is None:
        return None
    days = {"cutoffs": len(said.days), "foretold": said.known, "learned_from": said.learned}
    return {"versions": list(said.versions), **days}


def shortened(record: Mapping[str, Any], most: int) -> dict[str, Any]:
    """A record as JSON, with the groups whose cost changes most, and of these the chief measures.

    Args:
        record: As `as_record` makes it.
        most: Stores, and categories, that are kept; `stores_total` and `categories_total` say how many there are.
    """
    days = {name: record[name].isoformat() for name in ("since", "until")}
    kept: dict[str, Any] = {"by_measure": _chief(record["by_measure"])}
    for name in map(_plural, GROUPS):
        groups = sorted(record[name], key=_cost_change)[:most]
        kept[name] = [{**one, "differences": _chief(one["differences"])} for one in groups]
        kept[f"{name}_total"] = len(record[name])
    words = {name: {"label": label, "digits": digits} for name, (label, digits) in MEASURES.items()}
    return {**record, **days, **kept, "measures": words}


def _chief(differences: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in differences if one["measure"] in CHIEF]


def _cost_change(group: Mapping[str, Any]) -> float:
    changes = (one["difference"] for one in group["differences"] if one["measure"] == "cost")
    return -abs(float(next(changes) or 0.0))


def _plural(column: str) -> str:
    return "stores" if column == "store_id" else "categories"


def _record(one: PolicyDifference) -> dict[str, Any]:
    values = {**asdict(one), "difference": one.difference}
    return {n: _number(v) if isinstance(v, float) else v for n, v in values.items()}


def _number(value: float) -> float | None:
    """A number as JSON has it: what is none is null."""
    return value if math.isfinite(value) else None


def notes(shop: ReplayedShop) -> list[str]:
    """What has to be known of the figures, a sentence each."""
    lost = (
        "Nobody observed lost sales."
        if shop.lost_units is None
        else f"{count_of(shop.lost_units, 'unit')} of observed lost sales count as wanted."
    )
    sentences = [f"{FLOOR_OF_DEMAND[0].upper()}{FLOOR_OF_DEMAND[1:]}.", lost]
    if shop.history.steps.days < FEW_DAYS:
        sentences.append("So few days do not tell how weeks differ: intervals are too narrow.")
    sentences += _of_model(shop)
    if others := len(apart(shop.history)[1]):
        sentences.append(
            f"Apart stand goods that are sold by measure, as fuel is in thousandths: {count_of(others, 'shelf')}."
        )
    if shop.nameless:
        sentences.append(
            f"{count_of(shop.nameless, 'shelf')} with receipts but without a profile left out."
        )
    return sentences


def _of_model(shop: ReplayedShop) -> Iterator[str]:
    """What has to be known of forecasts."""
    said, modelled = shop.forecasts, int(np.count_nonzero(shop.policy.by_model))
    if said is None:
        if modelled:
            words = count_of(modelled, "shelf")
            yield f"Of {words} a model may decide, and the lake has no version: the rule orders."
        return
    yield f"Forecasts are those of {' and '.join(said.versions) or 'no version'}."
    days = count_of(len(said.days), "cutoff day")
    if missing := len(said.days) - said.known:
        yield (
            f"On {missing} of {days} the rule orders, since no features are stored; "
            "`lakeshelf features backfill` writes them."
        )
    if said.learned:
        yield (
            f"On {said.learned} of {days} the version had learned from what came after, and looks better than it will "
            f"be; `lakeshelf models train --until {shop.first}` trains one that has not."
        )
