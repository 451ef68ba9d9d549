"""What another policy would have meant: a form, the job that it becomes, and its answer as a picture and as tables."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where
from lakeshelf.ui.pictures.drawing import written
from lakeshelf.ui.pictures.frontier import TRIED, Interval, Spot, drawn
from lakeshelf.ui.rendering import NOTHING, number

PLACE = "/whatif"
GOING = ("queued", "running")
WAIT_S = "1"
"""Seconds for which the page waits for a replay; it is shown as running then."""
SET = "set."
"""What names of fields that are set begin with, in forms and addresses."""
PLAIN = ("since", "until", "stores", "categories", "items", "change_request", "frontier")
"""Names of everything else that is asked."""
STEPS: Mapping[str, str] = {
    "read": "reads receipts",
    "forecast": "forecasts cutoff days",
    "replay": "replays policies",
    "compare": "draws intervals",
    "frontier": "replays other policies",
}
NAMES: Mapping[str, str] = {"in force": "in force", "changed": "changed"}
LEVEL = "service level "
"""What names of policies that were tried begin with, where a model decides; others are reorder points."""
SHELF = ("lost_units", "stock", "wasted", "cost")
OPTIONS: Mapping[str, str] = {name: f"--{name.replace('_', '-')}" for name in PLAIN}


async def _shown(api: Api, where: Where, _answers: dict[str, Answer]) -> Mapping[str, Any]:
    job = await _job(api, where.query.get("job", ""))
    data = (job and job.data) or {}
    is_ours = data.get("kind") == "whatif"
    result = data.get("result") if is_ours and data["status"] == "done" else None
    question = asked(data.get("params") if is_ours else None, where.query)
    return {
        "job": job,
        "is_ours": is_ours,
        "is_going": data.get("status") in GOING,
        "steps": STEPS,
        "asked": question,
        "command": command(question),
        "result": result,
        "has_levels": any(
            one["policy"].startswith(LEVEL) for one in (result or {}).get("frontier", ())
        ),
        "picture": _picture(result) if result else Markup(),
        "of_shelf": SHELF,
        "digits": _digits(result) if result else str,
    }


async def _job(api: Api, job: str) -> Answer | None:
    return await api.get(path("/jobs/{job}", {"job": job}), {"wait": WAIT_S}) if job else None


def asked(params: Mapping[str, Any] | None, query: Mapping[str, str]) -> dict[str, str]:
    """What is asked, as the fields of the form: by a job, or else by the address, where `cr` is a change request."""
    if params is None:
        kept = {name: text for name, text in query.items() if name.startswith(SET) or name in PLAIN}
        return kept if "cr" not in query else {**kept, "change_request": query["cr"]}
    texts = {f"{SET}{name}": str(text) for name, text in params["set"].items()}
    for name in PLAIN:
        value = params[name]
        texts[name] = ", ".join(value) if isinstance(value, list) else str(value or "")
    return {name: text for name, text in texts.items() if text}


def command(question: Mapping[str, str]) -> str:
    """The command that asks the same."""
    words = ["lakeshelf", "whatif"]
    for name, text in question.items():
        if name.startswith(SET):
            words += ["--set", f"{name.removeprefix(SET)}={text}"]
        elif name == "frontier":
            words.append(OPTIONS[name])
        elif text:
            words.append(f"{OPTIONS[name]}={text}")
    return shlex.join(words)


def _picture(result: Mapping[str, Any]) -> Markup:
    spots = list(_spots(result))
    return written(drawn(spots)) if spots else Markup()


def _spots(result: Mapping[str, Any]) -> Iterator[Spot]:
    """The two policies, the changed one with its interval, and what was tried in its order; if they are numbers."""
    of = {one["measure"]: one for one in result["differences"]}
    stock, fill = of["stock"], of["fill"]
    for kind, name in (("before", "in force"), ("after", "changed")):
        if stock[kind] is not None and fill[kind] is not None:
            intervals = (_interval(stock), _interval(fill)) if kind == "after" else (None, None)
            yield Spot(name, kind, stock[kind], fill[kind], *intervals)
    for one in result["frontier"]:
        if one["policy"] not in NAMES and None not in (one["stock"], one["fill"]):
            name = one["policy"].removeprefix(LEVEL)
            yield Spot(name, TRIED[name != one["policy"]], one["stock"], one["fill"])


def _interval(one: Mapping[str, Any]) -> Interval | None:
    """Where the changed policy may be, if the one in force is where it is."""
    if None in (one["before"], one["low"], one["high"]):
        return None
    return one["before"] + one["low"], one["before"] + one["high"]


def _digits(result: Mapping[str, Any]) -> Any:
    """How a value of a measure looks; a change has its sign."""

    def shown(measure: str, value: float | None, sign: str = "") -> str:
        if value is None or not math.isfinite(value):
            return NOTHING
        text = number(value, result["measures"][measure]["digits"])
        return f"{sign}{text}" if value > 0 else text

    return shown


def _going_on(sent: Mapping[str, str], answer: Mapping[str, Any]) -> str:
    """The page of a replay that was begun, with what was asked in its address."""
    kept = {n: text for n, text in sent.items() if text and (n.startswith(SET) or n in PLAIN)}
    return f"{PLACE}?{urlencode({**kept, 'job': answer['id']})}"


PAGES = (
    Page(
        PLACE,
        "What would another policy have meant?",
        "whatif.html",
        asks={"fields": Ask("/whatif")},
        command="lakeshelf whatif",
        section="/models",
        prepare=_shown,
        also=("/jobs/{job}",),
    ),
)
FORMS = (
    Form(
        "ask-whatif",
        "POST",
        "/whatif",
        {
            "since": "text",
            "until": "text",
            "stores": "listed",
            "categories": "listed",
            "items": "listed",
            "set": "named",
            "change_request": "whole",
            "frontier": "flag",
        },
        "The replay runs.",
        to=_going_on,
    ),
    Form("cancel-whatif", "POST", "/jobs/{job}/cancel", {}, "It is told to stop."),
)
