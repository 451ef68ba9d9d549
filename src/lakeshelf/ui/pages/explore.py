"""Tables and what is asked of them: one statement that only reads, its rows, and a picture of them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where
from lakeshelf.ui.pictures import charts

PLACE = "/explore"
AT_ONCE = 200
"""Rows of a result on a page."""
HEAVIEST = str(4 * 1024**2)
"""Bytes of them: wide rows and long texts come by fewer rows, and keep nobody else waiting."""
MOST_MARKS = 1_000
"""Rows of which a picture is drawn."""
GOING = ("queued", "running")
LONGEST_ADDRESS = 4_000
"""Characters of a statement that stand in an address."""
WAIT_S = "1"
"""Seconds for which the page waits for a statement that runs; it is shown as running then."""


async def _shown(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """The statement, its job and rows, and the tables whose name or columns hold what is looked for."""
    job = await _job(api, where.query.get("job", ""))
    sql = _statement(job, where.query.get("sql", ""))
    is_done = bool(job and job.data and job.data["status"] == "done")
    rows = await _rows(api, where) if is_done else None
    tables = answers["tables"].data or {"rows": (), "total": 0}
    return {
        "job": job,
        "is_going": bool(job and job.data and job.data["status"] in GOING),
        "sql": sql,
        "link": address(sql),
        "rows": rows,
        "at_once": AT_ONCE,
        "picture": await _picture(api, where, rows),
        "statements": [
            job.data if job and job.data and job.data["id"] == one["id"] else one
            for one in answers["jobs"].data or ()
            if one["kind"] == "query"
        ],
        "listed": [one for one in tables["rows"] if _is_like(one, where.query.get("find", ""))],
        "command": command(sql),
    }


async def _job(api: Api, job: str) -> Answer | None:
    return await api.get(path("/jobs/{job}", {"job": job}), {"wait": WAIT_S}) if job else None


def _statement(job: Answer | None, sql: str) -> str:
    params = job.data["params"] if job and job.data else {}
    return str(params.get("sql", sql))


async def _rows(api: Api, where: Where) -> Answer:
    names = {"job": where.query["job"]}
    begin = {"offset": where.query.get("offset", "")}
    query = {**begin, "limit": str(AT_ONCE), "heaviest": HEAVIEST}
    return await api.get(path("/jobs/{job}/rows", names), query)


async def _picture(api: Api, where: Where, rows: Answer | None) -> Mapping[str, Any] | None:
    """A picture of the columns that the address names, of as many rows as are drawn."""
    x, y = where.query.get("x", ""), where.query.get("y", "")
    if rows is None or rows.data is None or not y:
        return None
    columns = rows.data["columns"]
    if y not in columns or (x and x not in columns):
        return {"drawing": None, "why": "The result has no such column."}
    names = {"job": where.query["job"]}
    all_ = await api.get(
        path("/jobs/{job}/rows", names), {"limit": str(MOST_MARKS), "heaviest": HEAVIEST}
    )
    if all_.data is None:
        return {"drawing": None, "why": all_.refusal.message if all_.refusal else ""}
    values = [row[columns.index(y)] for row in all_.data["rows"]]
    labels = (
        [row[columns.index(x)] for row in all_.data["rows"]] if x else range(1, len(values) + 1)
    )
    drawing = charts.drawn(list(labels), values, y, x, where.query.get("kind", "line"))
    why = "" if drawing else f"{y} holds no numbers that could be drawn."
    return {"drawing": drawing, "why": why, "count": len(values)}


def _is_like(table: Mapping[str, Any], text: str) -> bool:
    words = (table["name"], *(one["name"] for one in table.get("columns") or ()))
    return any(text.casefold() in word.casefold() for word in words)


def address(sql: str) -> str:
    """Where others find this statement; empty: it is too long for an address."""
    return f"{PLACE}?{urlencode({'sql': sql})}" if 0 < len(sql) <= LONGEST_ADDRESS else ""


def command(sql: str) -> str:
    """The command that asks the same; one that begins with a dash is no option."""
    if not sql.strip():
        return "lakeshelf sql"
    return f"lakeshelf sql {'-- ' if sql.startswith('-') else ''}{shlex.quote(sql)}"


def _going_on(sent: Mapping[str, str], answer: Mapping[str, Any]) -> str:
    """The page of a statement that was begun: it has ended already, or is a job that goes on."""
    sql = sent.get("sql", "")
    job = answer["job"] if "job" in answer else answer["id"]
    kept = {"sql": sql} if len(sql) <= LONGEST_ADDRESS else {}
    return f"{PLACE}?{urlencode({**kept, 'job': job})}"


PAGES = (
    Page(
        PLACE,
        "Explore",
        "explore.html",
        asks={
            "tables": Ask("/tables", (), {"limit": "1000"}),
            "jobs": Ask("/jobs", (), {"limit": "100"}),
        },
        command="lakeshelf sql",
        menu="Explore",
        prepare=_shown,
        also=("/jobs/{job}", "/jobs/{job}/rows"),
        numbers=("offset",),
    ),
)
FORMS = (
    Form(
        "run-statement",
        "POST",
        "/query",
        {"sql": "text", "keep_rows": "whole", "seconds": "whole", "wait": "whole"},
        "The statement runs.",
        to=_going_on,
    ),
    Form(
        "cancel-statement",
        "POST",
        "/jobs/{job}/cancel",
        {},
        "It is told to stop.",
    ),
)
