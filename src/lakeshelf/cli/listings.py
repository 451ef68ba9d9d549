# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`tables` and `topics`: what there is."""

from __future__ import annotations

from typing import Any

from lakeshelf.cli import access
from lakeshelf.cli.output import AsJson, Limit, console, print_json, rows

NUMBERS = ("rows", "version", "partitions", "records")


def tables(*, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the tables of the lake with rows and version."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.stack.status import table_rows

    found = table_rows(access.present(), list(CATALOG.tables)[:limit])
    if as_json:
        print_json(found)
        return
    shown = [{k: v for k, v in t.items() if k != "error"} for t in found]
    console().print(rows(shown, right=NUMBERS))
    for line in _problems(found):
        console().print(line, style="red")


def topics(*, limit: Limit = 100, as_json: AsJson = False) -> None:
    """List the topics with their settings and, while Kafka answers, their records."""
    from lakeshelf.contracts import CATALOG

    counts, problem = _records()
    found = [
        {
            "topic": topic.name,
            "cleanup": topic.cleanup,
            "owner": topic.owner,
            "partitions": topic.partitions,
            "records": counts.get(topic.name),
        }
        for topic in list(CATALOG.topics.values())[:limit]
    ]
    if as_json:
        print_json(found)
        return
    console().print(rows(found, right=NUMBERS))
    if problem:
        console().print(f"no numbers of records: {problem}", soft_wrap=True)


def _records() -> tuple[dict[str, int], str]:
    from lakeshelf.contracts import CATALOG
    from lakeshelf.errors import BrokerError
    from lakeshelf.stack.clients import running_client
    from lakeshelf.streams.topics import end_offsets

    try:
        ends = end_offsets(running_client(access.settings()), list(CATALOG.topics))
    except BrokerError as error:
        return {}, str(error)
    return {topic: sum(partitions.values()) for topic, partitions in ends.items()}, ""


def _problems(found: list[dict[str, Any]]) -> list[str]:
    """Each problem once: a lake that was never set up has the same for all tables."""
    lines = [t["error"] for t in found if t["error"]]
    more = f" (and {len(lines) - 1} more like it)" if len(lines) > 1 else ""
    return [lines[0] + more] if lines else []
