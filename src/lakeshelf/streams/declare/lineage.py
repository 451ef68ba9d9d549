"""The reference page of the jobs: what each reads and keeps, and by column what its SQL reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakeshelf.contracts import CATALOG, project
from lakeshelf.contracts.derived.docs import NOTICE
from lakeshelf.streams.declare.binding import Bound, bind
from lakeshelf.streams.declare.job import TOUCHED, Job, tables_by_relation

PAGE = "jobs.md"


def render(jobs: Iterable[Job]) -> str:
    """The page, from the declarations alone.

    Raises:
        ConfigurationError: A text of SQL does not bind.
    """
    blocks = ["# Jobs", NOTICE, *(block for job in jobs for block in _job(job))]
    return "\n\n".join(blocks) + "\n"


def _job(job: Job) -> Iterator[str]:
    yield f"## {job.name}"
    yield f"{job.doc} [Its rule](../../{project.JOBS}/{job.name}/README.md)."
    yield "\n".join(
        f"- {what}: {', '.join(map(_linked, names)) or 'nothing'}"
        for what, names in (
            ("reads", job.reads),
            ("keeps", job.tables),
            ("publishes", job.publishes),
        )
    )
    lines = [line for bound in bind(job) for line in _reads(bound)]
    if lines:
        yield "\n".join(("| SQL | reads | columns |", "| --- | --- | --- |", *lines))


def _reads(bound: Bound) -> Iterator[str]:
    for name, columns in bound.reads.items():
        yield f"| {bound.of} | {_label(name)} | {', '.join(f'`{c}`' for c in columns)} |"


def _label(name: str) -> str:
    """A relation as a reader knows it: a table or topic, keys of a table, or what the job itself made."""
    plain = name.removeprefix(TOUCHED)
    table = tables_by_relation().get(plain)
    if table is not None:
        keys = "keys that the batch touched of " if name != plain else ""
        return keys + _linked(table.name)
    return _linked(name) if name in CATALOG.topics else f"`{{{name}}}`"


def _linked(name: str) -> str:
    folder = "topics" if name in CATALOG.topics else "tables"
    return f"[`{name}`]({folder}/{name}.md)"
