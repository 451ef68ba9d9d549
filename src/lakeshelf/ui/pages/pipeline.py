"""The pipeline: what is wrong and the way out, queries, components, tables, batches, refused records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where

BATCHES, RECORDS = 20, 20
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


def marked(text: str) -> list[tuple[str, bool]]:
    """A text, part by part, and whether the part is a command: it stands between backticks."""
    parts = text.split("`")
    return [(part, bool(n % 2) and n + 1 < len(parts)) for n, part in enumerate(parts) if part]


async def _prepared(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    asked = {
        "ledger": (path("/ledger", {}), _page(where, "batches", BATCHES, query="query")),
        "quarantine": (
            path("/quarantine", {}),
            _page(where, "records", RECORDS, topic="topic", reason="reason"),
        ),
    }
    if where.query.get("examine"):
        asked["doctor"] = (path("/doctor", {}), {})
    looked = await api.all(asked)
    status = answers["status"].data or {}
    problems = [(marked(line), way_out(line)) for line in status.get("problems", ())]
    numbers = (answers["numbers"].data or {"numbers": {}})["numbers"]
    ages = {one["table"]: one for one in numbers.get("tables", ())}
    rows = freshness(status.get("tables", ()), ages)
    return {
        "doctor": None,
        **looked,
        "problems": problems,
        "ways": [asdict(way) for way in WAYS],
        "kinds": KINDS,
        "refused": numbers.get("quarantine"),
        "freshness": [row for row in rows if not row["table"].startswith(STAGED)],
        "staged": [row for row in rows if row["table"].startswith(STAGED)],
        "fixed": where.query.get("fix", ""),
        "batches_step": BATCHES,
        "records_step": RECORDS,
    }


def _page(where: Where, start: str, limit: int, **filters: str) -> dict[str, str]:
    kept = {name: where.query.get(text, "") for name, text in filters.items()}
    return {**kept, "offset": where.query.get(start, ""), "limit": str(limit)}


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
        asks={"status": Ask("/status"), "numbers": Ask("/numbers")},
        command="lakeshelf status",
        menu="Pipeline",
        prepare=_prepared,
        also=("/ledger", "/quarantine", "/doctor"),
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
