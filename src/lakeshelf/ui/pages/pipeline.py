"""The pipeline: what is wrong and the way out, queries, components, tables, batches, refused records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lakeshelf.ui.asking import Answer, Api, Query, path
from lakeshelf.ui.page import Form, Page, Where

AT_ONCE = 20
"""Rows of a page of the ledger, and of the quarantine."""
STAGED = "staging/"
"""Of tables that jobs keep for themselves."""


@dataclass(frozen=True)
class WayOut:
    """What to do about a kind of problem.

    Attributes:
        sign: A text that tells the kind.
        runbook: Section of docs/runbooks.md.
        command: Which shows more.
    """

    sign: str
    runbook: str
    command: str


WAYS = (
    WayOut("nothing runs", "DriverSilent", "lakeshelf up"),
    WayOut("streams driver", "DriverSilent", "lakeshelf logs streams --level warning"),
    WayOut("query ", "QueryDown", "lakeshelf logs streams --level warning"),
    WayOut("streams is", "DriverSilent", "lakeshelf logs streams --level warning"),
    WayOut("is failed", "ComponentDown", "lakeshelf logs components --level warning"),
    WayOut("transaction", "PublishErrors", "lakeshelf doctor"),
    WayOut("", "ComponentDown", "lakeshelf doctor"),
)
"""The first whose sign is in a problem is its way out."""
KINDS: Mapping[str, str] = {
    "running": "ok",
    **dict.fromkeys(("failed", "down", "silent", "stopped"), "error"),
}
"""State → how it looks; others warn."""


def way_out(problem: str) -> WayOut:
    """What to do about a problem."""
    return next(way for way in WAYS if way.sign in problem)


async def _prepared(api: Api, where: Where, _answers: dict[str, Answer]) -> Mapping[str, Any]:
    """All of the page, or the part of it that is asked for alone, to be put in the place of what is shown."""
    part = where.query.get("part", "")
    asked = {
        "batches": ("ledger", "/ledger", _page(where, "batches", query="query")),
        "records": (
            "quarantine",
            "/quarantine",
            _page(where, "records", topic="topic", reason="reason"),
        ),
    }
    chosen = [asked[part]] if part in asked else asked.values()
    shown = {
        "part": part if part in asked else "",
        "query": {name: text for name, text in where.query.items() if name != "part"},
        "versions": {},
        "fixed": where.query.get("fix", ""),
        "at_once": AT_ONCE,
    }
    lists = {name: (path(place, {}), query) for name, place, query in chosen}
    answers = await api.all(lists) if shown["part"] else await _whole(api, where, lists)
    return {**shown, **answers}


def _page(where: Where, start: str, **filters: str) -> Query:
    kept = {name: where.query.get(text, "") for name, text in filters.items()}
    return {**kept, "offset": where.query.get(start, ""), "limit": str(AT_ONCE)}


async def _whole(
    api: Api, where: Where, lists: Mapping[str, tuple[str, Query]]
) -> Mapping[str, Any]:
    examined = ("doctor",) if where.query.get("examine") else ()
    more: dict[str, tuple[str, Query]] = {
        name: (path(f"/{name}", {}), {}) for name in ("status", "numbers", *examined)
    }
    looked = await api.all({**lists, **more})
    status = looked["status"].data or {}
    numbers = (looked["numbers"].data or {"numbers": {}})["numbers"]
    ages = {one["table"]: one for one in numbers.get("tables", ())}
    rows = freshness(status.get("tables", ()), ages)
    return {
        "doctor": None,
        **looked,
        "problems": [(line, way_out(line)) for line in status.get("problems", ())],
        "ways": [asdict(way) for way in WAYS],
        "kinds": KINDS,
        "versions": {name: one["version"] for name, one in ages.items()},
        "refused": numbers.get("quarantine"),
        "freshness": [row for row in rows if not row["table"].startswith(STAGED)],
        "staged": [row for row in rows if row["table"].startswith(STAGED)],
    }


def freshness(
    tables: Sequence[Mapping[str, Any]], ages: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Tables by name with rows, version and seconds since the last commit; what is not known is None."""
    kept = {one["table"]: one for one in tables}
    nothing = {"owner": None, "rows": None, "version": None, "error": "", "age_s": None}
    rows = [
        nothing | {"table": name} | dict(ages.get(name, {})) | dict(kept.get(name, {}))
        for name in kept.keys() | ages.keys()
    ]
    return sorted(rows, key=lambda row: str(row["table"]))


PAGES = (
    Page(
        "/pipeline",
        "Pipeline",
        "pipeline.html",
        command="lakeshelf status",
        menu="Pipeline",
        prepare=_prepared,
        also=("/status", "/numbers", "/ledger", "/quarantine", "/doctor"),
        numbers=("batches", "records"),
    ),
)
FORMS = (
    Form(
        "correct-record",
        "POST",
        "/quarantine/corrections",
        {
            "topic": "text",
            "partition": "whole",
            "offset": "whole",
            "value": "text",
            "value_base64": "text",
        },
        "The record went back to its topic. It stays in the list, as what was refused then.",
        within="records",
    ),
)
