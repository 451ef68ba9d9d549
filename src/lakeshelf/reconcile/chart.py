"""A picture of what a shop achieved, day by day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from matplotlib.axes import Axes

    from lakeshelf.reconcile.performance import Achieved

SUFFIXES = (".png", ".svg")
SIZE_INCHES = (9.0, 8.0)
DOTS_PER_INCH = 120
MOST_TICKS, MOST_MARKERS = 10, 31

BLUE, ORANGE, GREEN, VERMILION, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#666666"
"""Of the palette of Okabe and Ito, which people with any colour vision can tell apart."""

PANELS = (
    (
        "Stock at the end of the day",
        "units",
        (
            ("on shelves", "shelf_stock", BLUE, "o"),
            ("in back rooms", "warehouse_stock", ORANGE, "s"),
        ),
    ),
    (
        "Sold, lost and removed",
        "units a day",
        (
            ("sold", "sold", GREEN, "o"),
            ("lost, shelf empty", "lost", VERMILION, "X"),
            ("removed", "removed", GREY, "v"),
        ),
    ),
    (
        "Refills, orders and low shelves",
        "number a day",
        (
            ("refills", "refills", BLUE, "o"),
            ("supplier orders", "orders", ORANGE, "s"),
            ("shelves low at day end", "low_shelves", VERMILION, "X"),
        ),
    ),
)
"""Title, axis and lines (label, figure of a day, colour, marker) of each panel."""


def draw(achieved: Achieved, file: Path) -> None:
    """Write the days of `achieved` as a chart of three panels: stock, sales and losses, supply.

    Args:
        achieved: Figures of at least one day.
        file: Where to write; a picture that is there is replaced. Its suffix tells the format.

    Raises:
        ConfigurationError: The suffix is neither `.png` nor `.svg`.
    """
    if file.suffix not in SUFFIXES:
        raise ConfigurationError(
            f"a chart cannot be written as {file.name}", hint="name a file .png or .svg"
        )
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    panels = figure.subplots(len(PANELS), 1, sharex=True)
    for axes, (title, unit, lines) in zip(panels, PANELS, strict=True):
        for label, name, colour, marker in lines:
            _line(axes, achieved, label, name, colour, marker)
        _panel(axes, title, unit)
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
    _label_days(panels[-1], [day.day for day in achieved.days])
    with mpl.rc_context({"svg.hashsalt": "lakeshelf", "svg.fonttype": "none"}):
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, format=file.suffix[1:], metadata=metadata)


def _panel(axes: Axes, title: str, unit: str) -> None:
    axes.set_title(title, loc="left")
    axes.set_ylabel(unit)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _label_days(axes: Axes, days: Sequence[date]) -> None:
    ticked = days[:: -(-len(days) // MOST_TICKS)]
    axes.set_xticks([day.toordinal() for day in ticked], labels=[f"{day:%d %b}" for day in ticked])
    axes.set_xlabel(f"business day (UTC), {days[0]} to {days[-1]}")


def _line(axes: Axes, achieved: Achieved, label: str, name: str, colour: str, marker: str) -> None:
    days = [day.day.toordinal() for day in achieved.days]
    marked = marker if len(days) <= MOST_MARKERS else ""
    figures = [getattr(day, name) for day in achieved.days]
    axes.plot(days, figures, color=colour, marker=marked, markersize=5, label=label, clip_on=False)
