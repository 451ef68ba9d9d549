"""What a forecast may read of a row: declared once, with name, type, unit and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.frames import HORIZON, KEY, Columns


@dataclass(frozen=True)
class Feature:
    """A column of a row.

    Args:
        name: Its name.
        type: Its type; texts are categories.
        unit: What one of it is.
        meaning: One sentence.
    """

    name: str
    type: pa.DataType
    unit: str
    meaning: str


COUNT, REAL, TEXT = pa.int64(), pa.float64(), pa.string()


def _windows(name: str, days: Sequence[int], unit: str, meaning: str) -> list[Feature]:
    return [
        Feature(f"{name}_{n}d", COUNT, unit, f"{meaning} in the {n} days before D.") for n in days
    ]


FEATURES: tuple[Feature, ...] = (
    Feature(HORIZON, COUNT, "days", "Length of the window that the forecast is of."),
    Feature("day_of_week", COUNT, "1 to 7", "Day of D, Monday first."),
    Feature("days_to_holiday", COUNT, "days", "Days from D to the next holiday; 0: D is one."),
    *_windows("units_sold", (1, 3, 7, 14, 28, 56, 91, 182), "units", "Units on receipts"),
    *_windows("lines", (28, 91, 182), "lines", "Receipt lines"),
    *_windows("lost_sales", (7, 28), "units", "Units that customers did not get"),
    Feature("days_since_sale", COUNT, "days", "Days since the latest sale, at most 182 ago."),
    Feature("days_known", COUNT, "days", "Days since the first sale of the latest 182 days."),
    Feature("same_days_4w", COUNT, "units", "Units on the weekdays of the window, four weeks."),
    Feature("same_days_13w", COUNT, "units", "Units on the weekdays of the window, 13 weeks."),
    Feature("peak_91d", COUNT, "units", "Units of the best of the 91 days before D."),
    Feature("mean_7d", REAL, "units/day", "Exponential mean of units, half-life seven days."),
    Feature("mean_28d", REAL, "units/day", "Exponential mean of units, half-life 28 days."),
    Feature("mean_91d", REAL, "units/day", "Exponential mean of units, half-life 91 days."),
    Feature("sale_size", REAL, "units", "Smoothed units of a day with a sale."),
    Feature("sale_interval", REAL, "days", "Smoothed days between sales; the first begins 182 days back."),
    Feature("tsb", REAL, "units/day", "Forecast of Teunter, Syntetos and Babai (2011)."),
    Feature("sba", REAL, "units/day", "Forecast of Syntetos and Boylan (2005)."),
    *_windows("item_units", (7, 28, 91), "units", "Units of the item in all stores"),
    Feature("item_rate_91d", REAL, "units/shelf", "Units of the item a shelf that sold it, 91 days."),
    Feature("item_price_ratio_7d", REAL, "1", "Price of the item in seven days over that in 182."),
    *_windows("category_units", (7, 28), "units", "Units of the category in the store"),
    *_windows("subcategory_units", (7, 28, 91), "units", "Units of the subcategory in the store"),
    Feature("subcategory_rate_91d", REAL, "units/shelf", "Units of the subcategory a shelf that sold, 91 days."),
    *_windows("store_units", (7, 28), "units", "Units of the store"),
    *_windows("store_visits", (1, 7, 28), "visits", "Visits to the store"),
    Feature("last_price", REAL, "money/unit", "Mean price of a unit on the day of the latest sale."),
    Feature("price_ratio", REAL, "1", "Latest price over the mean of 182 days."),
    Feature("discount", REAL, "1", "Discount of D that was decided before."),
    Feature("promoted_days", COUNT, "days", "Days of the window with a planned display or mailer."),
    *_windows("promoted_days", (91,), "days", "Days with a display or mailer"),
    Feature("promoted_rate_91d", REAL, "units/day", "Units a day with a display or mailer, 91 days."),
    Feature("plain_rate_91d", REAL, "units/day", "Units a day without, 91 days."),
    *_windows("item_promoted_units", (91,), "units", "Units of the item where it was promoted"),
    Feature("in_stock_days_28d", COUNT, "days", "Days of the latest 28 without a stock-out, where these are observed."),
    Feature("shelf_life_days", COUNT, "days", "Days from receipt to expiry; null: it keeps."),
    Feature("store_id", TEXT, "", "Store."),
    Feature("category", TEXT, "", "Department."),
    Feature("subcategory", TEXT, "", "Kind of item in its department."),
    Feature("display", TEXT, "", "Planned place of a display at the end of the window."),
    Feature("mailer", TEXT, "", "Planned place in a mailer at the end of the window."),
    Feature("display_before", TEXT, "", "Display of the week before."),
    Feature("mailer_before", TEXT, "", "Mailer of the week before."),
)  # fmt: skip
"""All that a forecast may read, in the order of a model."""

SCHEMA = pa.schema(
    [(KEY[0], TEXT), (KEY[1], pa.date32()), *((feature.name, feature.type) for feature in FEATURES)]
)
"""A row of features."""


class FeatureError(LakeshelfError):
    """Columns that are not those which a forecast may read."""


def admitted(rows: pa.Table, *, also: Sequence[str] = ()) -> pa.Table:
    """The rows, in the order of `SCHEMA`, if they have its columns and no other.

    Args:
        rows: Key and features.
        also: Names of further columns that go along, such as label and weight, and are no features.

    Raises:
        FeatureError: A column is missing, mistyped, or none that a forecast may read.
    """
    names, own = rows.column_names, SCHEMA.names
    differences = [
        *(f"{name} is none" for name in names if name not in own and name not in also),
        *(f"{name} is twice there" for name in dict.fromkeys(names) if names.count(name) > 1),
        *(f"{name} is missing" for name in (*own, *also) if name not in names),
        *(
            f"{name} is {rows.schema.field(name).type}, not {SCHEMA.field(name).type}"
            for name in own
            if names.count(name) == 1 and rows.schema.field(name).type != SCHEMA.field(name).type
        ),
    ]
    if differences:
        raise FeatureError(
            f"no features of a forecast: {', '.join(differences)}",
            hint="give the rows of lakeshelf.forecast.demand.rows",
        )
    return rows.select([*own, *also])


def columns(rows: pa.Table) -> Columns:
    """What a model reads, with the categories frozen as these rows have them, sorted."""
    numeric = tuple(feature.name for feature in FEATURES if feature.type != TEXT)
    texts = (feature.name for feature in FEATURES if feature.type == TEXT)
    values = {name: rows[name].drop_null().unique().to_pylist() for name in texts}
    return Columns(numeric, {name: tuple(sorted(texts)) for name, texts in values.items()})
