# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`tables` and `topics`: what there is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lakeshelf.cli import access
from lakeshelf.cli.output import AsJson, Limit, console, print_json, rows
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.streams.topic_counts import Count

NUMBERS = ("rows", "version", "partitions", "records")


def known(what: str, given: str | None, names: Iterable[str]) -> str | None:
    """A name that was given, if it is one of those that there are.

    Raises:
        ConfigurationError: It is none; its neighbours are named, or all.
    """
    there = list(names)
    if given is None or given in there:
        return given
    near = difflib.get_close_matches(given, there, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(sorted(there))}"
    raise ConfigurationError(f"no {what} {given!r}", hint=hint)


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
    """List the topics with their settings and, while Kafka answers, how many records can be read."""
    from lakeshelf.contracts import CATALOG

    counts, problem = _records()
    found = [
        {
            "topic": topic.name,
            "cleanup": topic.cleanup,
            "owner": topic.owner,
            "partitions": topic.partitions,
            **_count(counts.get(topic.name)),
        }
        for topic in list(CATALOG.topics.values())[:limit]
    ]
    if as_json:
        print_json(found)
        return
    console().print(rows([_shown(topic) for topic in found], right=NUMBERS))
    if problem:
        console().print(f"no numbers of records: {problem}", soft_wrap=True)


def _records() -> tuple[dict[str, Count], str]:
    from lakeshelf.contracts import CATALOG
    from lakeshelf.errors import BrokerError
    from lakeshelf.stack.clients import running_client
    from lakeshelf.streams.topic_counts import readable

    try:
        return readable(running_client(access.settings()), CATALOG.topics), ""
    except BrokerError as error:
        return {}, str(error)


def _count(found: Count | None) -> dict[str, Any]:
    """`records`, and whether it is their `exact` number or the most that there can be."""
    if found is None:
        return {"records": None, "exact": None}
    return {"records": found.records, "exact": found.exact}


def _shown(topic: dict[str, Any]) -> dict[str, Any]:
    told = {name: value for name, value in topic.items() if name != "exact"}
    return told if topic["exact"] is not False else {**told, "records": f"≤ {topic['records']:,}"}


def _problems(found: list[dict[str, Any]]) -> list[str]:
    """Each problem once: a lake that was never set up has the same for all tables."""
    lines = [t["error"] for t in found if t["error"]]
    more = f" (and {len(lines) - 1} more like it)" if len(lines) > 1 else ""
    return [lines[0] + more] if lines else []
