# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`tables` and `topics`: what there is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from lakeshelf.choices import chosen
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import All, AsJson, Most, console, most, print_list
from lakeshelf.cli.console.terminal import inert

if TYPE_CHECKING:
    from lakeshelf.kafka.topic_counts import TopicCount

NUMBERS = ("rows", "version", "partitions", "records")


def known(what: str, name: str | None, names: Iterable[str]) -> str | None:
    """A name, if it is one of those that are known.

    Raises:
        ConfigurationError: It is none; its neighbours are named, or the first few.
    """
    return None if name is None else chosen(what, name, list(names))


def tables(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the tables of the lake with rows and version; exit code 1 when one cannot be read."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.stack.observing.status import table_rows

    settings = access.settings()
    names = list(CATALOG.tables)
    listed = table_rows(access.present(settings), names[: most(limit, every, as_json)])
    shown = [name for name in listed[0] if name not in ("error", "unreadable")]
    print_list(listed, len(names), "tables", as_json, columns=shown, right=NUMBERS)
    for line in () if as_json else _problems(listed):
        console().print(inert(line), style="red", markup=False, soft_wrap=True)
    raise typer.Exit(int(any(table["unreadable"] for table in listed)))


def topics(*, limit: Most = None, every: All = False, as_json: AsJson = False) -> None:
    """List the topics with their settings and, while Kafka answers, how many records can be read."""
    from lakeshelf.contracts import CATALOG

    counts, problem = _records()
    listed = [
        {
            "topic": topic.name,
            "cleanup": topic.cleanup,
            "owner": topic.owner,
            "partitions": topic.partitions,
            **_count(counts.get(topic.name)),
        }
        for topic in list(CATALOG.topics.values())[: most(limit, every, as_json)]
    ]
    shown = listed if as_json else [_shown(topic) for topic in listed]
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


def _count(count: TopicCount | None) -> dict[str, Any]:
    """`records`, and whether it is their `exact` number or the most that there can be."""
    if count is None:
        return {"records": None, "exact": None}
    return {"records": count.records, "exact": count.exact}


def _shown(topic: dict[str, Any]) -> dict[str, Any]:
    fields = {name: value for name, value in topic.items() if name != "exact"}
    return (
        fields if topic["exact"] is not False else {**fields, "records": f"≤ {topic['records']:,}"}
    )


def _problems(listed: list[dict[str, Any]]) -> list[str]:
    """Each problem once: a lake that was never set up has the same for all tables."""
    from lakeshelf.stack.observing.status import alike

    unreadable = alike([table["error"] for table in listed if table["unreadable"]])
    missing = [t["error"] for t in listed if t["error"] and not t["unreadable"]]
    return [*unreadable, *alike(missing)]
