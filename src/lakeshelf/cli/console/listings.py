# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`tables` and `topics`: what there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lakeshelf.choices import chosen
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import All, AsJson, Most, console, most, print_list

if TYPE_CHECKING:
    from lakeshelf.kafka.topic_counts import TopicCount

NUMBERS = ("rows", "version", "partitions", "records")


def known(what: str, given: str | None, names: Iterable[str]) -> str | None:
    """A name that was given, if it is one of those that there are.

    Raises:
        ConfigurationError: It is none; its neighbours are named, or the first few.
    """
    return None if given is None else chosen(what, given, list(names))


def tables(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the tables of the lake with rows and version."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.stack.observing.status import table_rows

    names = list(CATALOG.tables)
    found = table_rows(access.present(), names[: most(limit, every, as_json)])
    shown = [name for name in found[0] if name != "error"]
    print_list(found, len(names), "tables", as_json, columns=shown, right=NUMBERS)
    if as_json:
        return
    for line in _problems(found):
        console().print(line, style="red")


def topics(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
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
        for topic in list(CATALOG.topics.values())[: most(limit, every, as_json)]
    ]
    shown = found if as_json else [_shown(topic) for topic in found]
    print_list(shown, len(CATALOG.topics), "topics", as_json, right=NUMBERS)
    if problem and not as_json:
        console().print(f"no numbers of records: {problem}", soft_wrap=True)


def _records() -> tuple[dict[str, TopicCount], str]:
    from lakeshelf.contracts import CATALOG
    from lakeshelf.errors import BrokerError
    from lakeshelf.kafka.topic_counts import readable
    from lakeshelf.stack.embedded.clients import running_client

    try:
        return readable(running_client(access.settings()), CATALOG.topics), ""
    except BrokerError as error:
        return {}, str(error)


def _count(found: TopicCount | None) -> dict[str, Any]:
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
