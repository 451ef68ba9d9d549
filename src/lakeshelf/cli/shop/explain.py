# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`explain`: why so much is ordered for a shelf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf import extras
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, add, console, grid, plain, print_json
from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.forecast.inference.explaining import Explanation, Units

Shelf = Annotated[str, typer.Argument(metavar="SHELF", help="The shelf.")]


def explain(shelf: Shelf, *, as_json: AsJson = False) -> None:
    """Explain how much is ordered for a shelf: by a model's forecast and level, or by the rule, and why by which.

    Of a forecast it tells the five features that say most; with the others they add up to it.
    """
    in_force = access.present()
    from lakeshelf.forecast.demand.engine import MODULES

    extras.require("query", *MODULES)
    from lakeshelf.forecast.inference.explaining import explained
    from lakeshelf.shop.shortage import ENGINES
    from lakeshelf.streams.declare import registry

    engine = registry.discover(*in_force.homes)[ENGINES["warehouse"]]
    explanation = explained(in_force.lake_root, engine, shelf)
    if as_json:
        print_json(explanation.as_json())
    else:
        _show(explanation)


def _show(of: Explanation) -> None:
    page, table = console(), grid("", "")
    page.print(_title(of), style="bold", soft_wrap=True)
    for name, value in (*_decision(of), *_forecast(of), *_rule(of), *_plan(of)):
        add(table, name, value)
    page.print(table)
    if of.forecast is not None:
        page.print("what the forecast is made of", style="bold")
        page.print(_parts(of.forecast))


def _title(of: Explanation) -> str:
    place = of.shelf
    who = "a model" if of.source == "ml" else "the rule"
    name = f"{place['shelf_id']} {place['name'] or ''}".strip()
    return f"{name}, item {place['item_id']}, store {place['store_id']}: {who} decides"


def _decision(of: Explanation) -> Iterator[tuple[str, str]]:
    if of.day is not None:
        yield "day", str(of.day)
    for reason in of.why_rule:
        yield "why the rule", reason
    yield "order", _lots(of.order)


def _forecast(of: Explanation) -> Iterator[tuple[str, str]]:
    forecast = of.forecast
    if forecast is None:
        return
    end = forecast["feature_date"] + timedelta(days=forecast["horizon_days"])
    span = f"from {forecast['feature_date']} until {end}, segment {forecast['segment']}"
    yield "forecast", f"{forecast['mean_units']:.2f} units {span}"
    shares = (f"{100 * float(level):g} %: {n}" for level, n in forecast["quantiles"].items())
    yield "units that suffice", ", ".join(shares)
    service = forecast["service_level"]
    basis = "from costs" if service is None else f"service level {service:g}"
    yield "level", f"{count_of(forecast['level_qty'], 'unit')}, {basis}"
    yield "position", count_of(of.position_qty or 0, "unit")
    yield "model", f"{forecast['model_name']} {forecast['model_version']}"


def _rule(of: Explanation) -> Iterator[tuple[str, str]]:
    point = of.policy["fields"]["reorder_point_qty"]
    why = "; ".join(of.rule_why) or f"{count_of(of.stock, 'unit')} in the back room suffice"
    asks = "asks for" if of.source == "rule" else "would ask for"
    yield "rule", f"{asks} {_lots(of.rule)}: {why}"
    limit = f"reorder_point_qty {plain(point['value'])} (from {point['from']})"
    yield "back room", f"{count_of(of.stock, 'unit')}, {of.ordered:,} ordered; {limit}"


def _plan(of: Explanation) -> Iterator[tuple[str, str]]:
    if of.plan is None:
        return
    plan = of.plan
    by = f"model {plan['model_version']}" if plan["source"] == "ml" else "the rule"
    units = count_of(plan["suggested_qty"], "unit")
    yield "latest plan", f"{plan['supplier_plan_id']}, {plan['status']}, {units}, by {by}"


def _lots(of: Units) -> str:
    if not of.units:
        return "nothing"
    return f"{count_of(of.units, 'unit')}, {count_of(of.lots, 'lot')} of {of.lot_qty:,}"


def _parts(forecast: Mapping[str, Any]) -> Any:
    table = grid("feature", "value", "times", "units", right=("value", "times", "units"))
    add(table, "without any feature", "", "", f"{forecast['base']:.3f}")
    for part in forecast["parts"]:
        value = "" if part["value"] is None else plain(part["value"])
        add(table, part["name"], value, f"{part['factor']:.3f}", f"{part['units']:+.3f}")
    add(table, "forecast", "", "", f"{forecast['mean_units']:.3f}", style="bold")
    return table
