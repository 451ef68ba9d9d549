"""The shop floor: what is wrong, and what staff do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Prepare, Where

AT_ONCE = 100
"""Rows of a page of a list."""
OPTIONS = {name: f"--{name}" for name in ("store", "shelf", "kind", "status")}
"""Filter of lists of alerts and plans → option of their commands."""
LISTED = (*OPTIONS, "offset")
ACTS = "/acts"
MOST_ACTS = "1000"
"""How many acts are asked for where each target has one."""
LONGEST_QUERY, OF_PARAMETER = 40_000, 10
"""Characters of an address that ask for acts, and those of a parameter beside its value."""
LONGEST_TARGET = 400
"""Characters of an id that can be acted upon."""
LATELY = "20"
"""Acts that are listed as the latest."""
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


def _listed(name: str, key: str) -> Prepare:
    """A list of alerts or plans, with what was asked of its rows.

    Args:
        name: Of the answer that has the rows.
        key: Column with their ids.
    """

    async def prepare(api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
        rows = (answers[name].data or {}).get("rows", ())
        asked = await _asked(api, [row[key] for row in rows])
        return {**asked, "kinds": ALERT_KINDS, "at_once": AT_ONCE}

    return prepare


async def _asked(api: Api, targets: Sequence[str]) -> Mapping[str, Any]:
    """The newest act of each target that has one and is not done, or why nobody knows."""
    query = {"newest": "true", "limit": MOST_ACTS}
    parts = [
        await api.get(path(ACTS, {}), {**query, "target": part}) for part in _by_length(targets)
    ]
    acts = [act for one in parts for act in (one.data or {}).get("acts", ())]
    return {
        "newest": next((one for one in parts if one.refusal), Answer()),
        "asked": {act["target"]: act for act in acts if act["state"] != "done"},
    }


def _by_length(texts: Sequence[str]) -> Iterator[list[str]]:
    """Ids that can be acted upon, in parts that an address can hold, in order."""
    part: list[str] = []
    length = 0
    for text in (one for one in texts if len(one) <= LONGEST_TARGET):
        own = len(quote(text, safe="")) + OF_PARAMETER
        if part and length + own > LONGEST_QUERY:
            yield part
            part, length = [], 0
        part, length = [*part, text], length + own
    if part:
        yield part


def _refusals(*commands: str) -> Ask:
    """What was refused lately: it may be about what is listed no longer."""
    return Ask(ACTS, (), {"state": "refused", "command": commands, "limit": LATELY})


async def _shelf(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    shelf = answers["shelf"].data or {}
    alerts = [one["alert_id"] for one in shelf.get("alerts", ())]
    open_ = [*alerts, *(one["plan_id"] for one in shelf.get("plans", ()))]
    query = {"shelf": where.names["shelf"], "limit": LATELY}
    names = [one["name"] for one in shelf.get("shelf_profiles", []) if one["name"]]
    asked = where.query.get("order") and not answers["shelf"].refusal
    order = await api.get(path("/shelves/{shelf}/order", where.names)) if asked else None
    return {
        "name": next(iter(names), ""),
        "order": order,
        "band": _band(((order and order.data) or {}).get("forecast")),
        "acts": await api.get(path(ACTS, {}), query),
        "kinds": ALERT_KINDS,
        **await _asked(api, open_),
    }


def _outcome(acts: Sequence[Mapping[str, Any]]) -> str:
    """What came at once of what was asked for."""
    refused = [act["state"] == "refused" for act in acts]
    return "nothing" if all(refused) else "part" if any(refused) else ""


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
        asks={
            "alerts": Ask("/alerts", LISTED, {"limit": str(AT_ONCE)}),
            "refused": _refusals("ack", "dismiss"),
        },
        command="lakeshelf alerts list",
        options=OPTIONS,
        menu="Alerts",
        prepare=_listed("alerts", "alert_id"),
        also=(ACTS,),
        numbers=("offset",),
    ),
    Page(
        "/plans",
        "Plans",
        "plans.html",
        asks={
            "plans": Ask("/plans", LISTED, {"limit": str(AT_ONCE)}),
            "refused": _refusals("cancel"),
        },
        command="lakeshelf plans list",
        options=OPTIONS,
        menu="Plans",
        prepare=_listed("plans", "plan_id"),
        also=(ACTS,),
        numbers=("offset",),
    ),
    Page(
        "/shelves/{shelf:path}",
        "Shelf {shelf}",
        "shelf.html",
        asks={
            "shelf": Ask("/shelves/{shelf}"),
            "books": Ask("/shelves/{shelf}/books", ("location",)),
        },
        command="lakeshelf trace {shelf}",
        section="/alerts",
        prepare=_shelf,
        also=("/shelves/{shelf}/order", ACTS),
    ),
)
FORMS = (
    Form(
        "act",
        "POST",
        "/acts",
        {"command": "text", "targets": "many", "reason": "text"},
        "Asked. It is done once its owner's answer is in the table.",
        outcome=_outcome,
        otherwise={
            "nothing": "Nothing was sent: all of it was refused at once; why stands below.",
            "part": "A part was refused at once; why stands below. The rest is asked, and done once its owner's answer"
            " is in the table.",
        },
    ),
    Form(
        "count",
        "POST",
        "/shelves/{shelf}/count",
        {"units": "whole", "location": "text", "lot": "text", "reason": "text", "agreed": "flag"},
        "Counted. The stock changes once the difference is folded.",
    ),
)
