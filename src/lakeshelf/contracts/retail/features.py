"""What a forecast may read of a row: declared once, with name, type, unit and meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from lakeshelf.contracts.types import DOUBLE, LONG, STRING, Field, Scalar


def _feature(name: str, type_: Scalar, unit: str, doc: str) -> Field:
    return Field(name, type_, doc, required=False, unit=unit)


def _windows(name: str, days: Sequence[int], unit: str, meaning: str) -> list[Field]:
    return [
        _feature(f"{name}_{n}d", LONG, unit, f"{meaning} in the {n} days before D.") for n in days
    ]


FEATURES: tuple[Field, ...] = (
    _feature("horizon_days", LONG, "days", "Length of the window that the forecast is of."),
    _feature("day_of_week", LONG, "1 to 7", "Day of D, Monday first."),
    _feature("days_to_holiday", LONG, "days", "Days from D to the next holiday; 0: D is one."),
    *_windows("units_sold", (1, 3, 7, 14, 28, 56, 91, 182), "units", "Units on receipts"),
    *_windows("lines", (28, 91, 182), "lines", "Receipt lines"),
    *_windows("lost_sales", (7, 28), "units", "Units that customers did not get"),
    _feature("days_since_sale", LONG, "days", "Days since the latest sale, at most 182 ago."),
    _feature("days_known", LONG, "days", "Days since the first sale of the latest 182 days."),
    _feature("same_days_4w", LONG, "units", "Units on the weekdays of the window, four weeks."),
    _feature("same_days_13w", LONG, "units", "Units on the weekdays of the window, 13 weeks."),
    _feature("peak_91d", LONG, "units", "Units of the best of the 91 days before D."),
    _feature("mean_7d", DOUBLE, "units/day", "Exponential mean of units, half-life seven days."),
    _feature("mean_28d", DOUBLE, "units/day", "Exponential mean of units, half-life 28 days."),
    _feature("mean_91d", DOUBLE, "units/day", "Exponential mean of units, half-life 91 days."),
    _feature("sale_size", DOUBLE, "units", "Smoothed units of a day with a sale."),
    _feature("sale_interval", DOUBLE, "days", "Smoothed days between sales; the first begins 182 days back."),
    _feature("tsb", DOUBLE, "units/day", "Forecast of Teunter, Syntetos and Babai (2011)."),
    _feature("sba", DOUBLE, "units/day", "Forecast of Syntetos and Boylan (2005)."),
    *_windows("item_units", (7, 28, 91), "units", "Units of the item in all stores"),
    _feature("item_rate_91d", DOUBLE, "units/shelf", "Units of the item a shelf that sold it, 91 days."),
    _feature("item_price_ratio_7d", DOUBLE, "1", "Price of the item in seven days over that in 182."),
    *_windows("category_units", (7, 28), "units", "Units of the category in the store"),
    *_windows("subcategory_units", (7, 28, 91), "units", "Units of the subcategory in the store"),
    _feature("subcategory_rate_91d", DOUBLE, "units/shelf", "Units of the subcategory a shelf that sold, 91 days."),
    *_windows("store_units", (7, 28), "units", "Units of the store"),
    *_windows("store_visits", (1, 7, 28), "visits", "Visits to the store"),
    _feature("last_price", DOUBLE, "money/unit", "Mean price of a unit on the day of the latest sale."),
    _feature("price_ratio", DOUBLE, "1", "Latest price over the mean of 182 days."),
    _feature("discount", DOUBLE, "1", "Discount of D that was decided before."),
    _feature("promoted_days", LONG, "days", "Days of the window with a planned display or mailer."),
    *_windows("promoted_days", (91,), "days", "Days with a display or mailer"),
    _feature("promoted_rate_91d", DOUBLE, "units/day", "Units a day with a display or mailer, 91 days."),
    _feature("plain_rate_91d", DOUBLE, "units/day", "Units a day without, 91 days."),
    *_windows("item_promoted_units", (91,), "units", "Units of the item where it was promoted"),
    _feature("in_stock_days_28d", LONG, "days", "Days of the latest 28 without a stock-out, where these are observed."),
    _feature("shelf_life_days", LONG, "days", "Days from receipt to expiry; null: it keeps."),
    _feature("store_id", STRING, "", "Store."),
    _feature("category", STRING, "", "Department."),
    _feature("subcategory", STRING, "", "Kind of item in its department."),
    _feature("display", STRING, "", "Planned place of a display at the end of the window."),
    _feature("mailer", STRING, "", "Planned place in a mailer at the end of the window."),
    _feature("display_before", STRING, "", "Display of the week before."),
    _feature("mailer_before", STRING, "", "Mailer of the week before."),
)  # fmt: skip
"""All that a forecast may read, in the order of a model; null is unknown."""

_SPAN = re.compile(r"_(\d+)(d|w)$")
_DAYS = {"d": 1, "w": 7}
LONGEST = 182
"""Days that a feature looks back, at most."""
SPANS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(("days_since_sale", "days_known", "sale_interval", "tsb", "sba"), LONGEST)
    | {f.name: int(m[1]) * _DAYS[m[2]] for f in FEATURES if (m := _SPAN.search(f.name))}
)
"""Feature → days that it looks back, and until which it grows with the shop's age though goods sell evenly."""
