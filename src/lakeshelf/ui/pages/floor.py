"""The shop floor: what is wrong, and what staff do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where

AT_ONCE = 100
"""Rows of a page of a list."""
LISTED = ("store", "shelf", "kind", "status", "offset")
"""Filters of lists of alerts and plans."""
ALERT_KINDS: Mapping[str, str] = {
    "refill_request": "shelf is low",
    "supplier_request": "back room is low",
    "near_expiry": "lot expires soon",
    "expired_removal": "lot has expired",
}
"""Kind of alert → what it says."""
BAND_WIDTH = 600
"""Of the picture of a forecast, in its own units."""


async def _shop(_api: Api, _where: Where, _answers: dict[str, Answer]) -> Mapping[str, Any]:
    return {"kinds": ALERT_KINDS}


async def _pending(_api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """What was asked for and is not done yet, by what it is of."""
    acts = (answers["acts"].data or {}).get("acts", [])
    return {
        "asked": {act["target"]: act for act in acts},
        "kinds": ALERT_KINDS,
        "at_once": AT_ONCE,
    }


async def _shelf(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    shelf = answers["shelf"].data or {}
    names = [one["name"] for one in shelf.get("shelf_profiles", []) if one["name"]]
    asked = where.query.get("order") and not answers["shelf"].refusal
    order = await api.get(path("/shelves/{shelf}/order", where.names)) if asked else None
    return {
        "name": next(iter(names), ""),
        "order": order,
        "band": _band(((order and order.data) or {}).get("forecast")),
        **await _pending(api, where, answers),
    }


def _band(forecast: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Where the parts of a forecast's picture stand; None: there is nothing to draw."""
    if not forecast or not forecast["quantiles"]:
        return None
    quantiles = sorted(
        (float(share), float(units)) for share, units in forecast["quantiles"].items()
    )
    (least, low), (most, high) = quantiles[0], quantiles[-1]
    top: float = max(1.0, high, forecast["mean_units"], forecast["level_qty"])

    def x(units: float) -> float:
        return round(units / top * BAND_WIDTH, 1)

    suffice = "unit suffices" if low == 1 else "units suffice"
    words = f"{low:g} {suffice} in {100 * least:g} % of cases, {high:g} in {100 * most:g} %"
    places = {"low": x(low), "width": x(high - low), "mean": x(forecast["mean_units"])}
    return {**places, "level": x(forecast["level_qty"]), "top": top, "words": words}


_ACTS = Ask("/acts", (), {"state": "asked", "limit": "1000"})
PAGES = (
    Page(
        "/",
        "Shop",
        "shop.html",
        asks={
            "numbers": Ask("/numbers"),
            "history": Ask("/numbers/history"),
            "low": Ask("/low_shelves", (), {"limit": "10"}),
        },
        command="lakeshelf watch --once",
        menu="Shop",
        prepare=_shop,
    ),
    Page(
        "/alerts",
        "Alerts",
        "alerts.html",
        asks={"alerts": Ask("/alerts", LISTED, {"limit": str(AT_ONCE)}), "acts": _ACTS},
        command="lakeshelf alerts list",
        menu="Alerts",
        prepare=_pending,
    ),
    Page(
        "/plans",
        "Plans",
        "plans.html",
        asks={"plans": Ask("/plans", LISTED, {"limit": str(AT_ONCE)}), "acts": _ACTS},
        command="lakeshelf plans list",
        menu="Plans",
        prepare=_pending,
    ),
    Page(
        "/shelves/{shelf}",
        "Shelf {shelf}",
        "shelf.html",
        asks={
            "shelf": Ask("/shelves/{shelf}"),
            "books": Ask("/shelves/{shelf}/books", ("location",)),
            "acts": Ask("/acts", (), {"limit": "20"}),
        },
        command="lakeshelf trace {shelf}",
        section="/alerts",
        prepare=_shelf,
        also=("/shelves/{shelf}/order",),
    ),
)
FORMS = (
    Form(
        "act",
        "POST",
        "/acts",
        {"command": "text", "targets": "many", "reason": "text"},
        "Asked. It is done once its owner's answer is in the table.",
    ),
    Form(
        "count",
        "POST",
        "/shelves/{shelf}/count",
        {"units": "whole", "location": "text", "lot": "text", "reason": "text", "agreed": "flag"},
        "Counted. The stock changes once the difference is folded.",
    ),
)
