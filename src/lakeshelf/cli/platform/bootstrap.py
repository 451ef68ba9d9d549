# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`bootstrap`, `rebuild` and `continue`: tables, topics and checkpoints made, and made anew."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, Steps, console, print_json, rows
from lakeshelf.counts import count_of


def bootstrap(
    *,
    alter_topics: Annotated[
        bool, typer.Option(help="Give topics that differ the settings that the contract says.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Create every table and topic that is missing, and add missing columns; change nothing else unasked."""
    from lakeshelf.kafka import topics
    from lakeshelf.lake.rows import tables
    from lakeshelf.stack.observing import planning
    from lakeshelf.stack.supervision.supervisor import kafka_for

    settings = access.settings()
    late = planning.late(settings)
    made_tables = [
        {"table": c.table, "outcome": c.outcome, "added": list(c.added)}
        for c in tables.ensure_all(settings.lake_root)
    ]
    with kafka_for(settings, "lakeshelf bootstrap") as client:
        ensured = topics.ensure_all(client)
        ensured = topics.alter(client, ensured) if alter_topics else ensured
    made_topics = [
        {"topic": e.topic, "outcome": e.outcome, "differences": [list(d) for d in e.differences]}
        for e in ensured
    ]
    differing = [t for t in made_topics if t["outcome"] == "differs"]
    if as_json:
        report = {"ok": not differing, "tables": made_tables, "late": late, "topics": made_topics}
        print_json(report)
    else:
        _show(made_tables, made_topics)
        for name in late:
            console().print(f"{name} {planning.FROM_NOW_ON}", soft_wrap=True)
    raise typer.Exit(1 if differing else 0)


def rebuild(
    *,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="Go on without rows that neither raw nor Kafka has any more."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Drop what the jobs keep and fold it again from raw; the stack must be down."""
    from lakeshelf.stack.observing import rebuilding
    from lakeshelf.stack.supervision.supervisor import kafka_for
    from lakeshelf.streams.declare import registry
    from lakeshelf.streams.recover import recovery

    settings = access.present()
    jobs = registry.discover(*settings.homes).values()
    recovery.require_stopped(settings, jobs)
    with (
        kafka_for(settings, "lakeshelf rebuild") as client,
        Steps({}).shown() as show,
        rebuilding.telling(settings, show) as progress,
    ):
        result = recovery.rebuild(settings, jobs, progress, client, accept_loss=accept_loss)
    if as_json:
        print_json(
            {
                "folded": result.folded,
                "rows": dict(result.rows),
                "seconds": round(result.seconds, 2),
                "aside": list(result.aside),
            }
        )
        return
    for place in result.aside:
        console().print(f"a table of another lake lies in {place} now", soft_wrap=True)
    console().print(
        rows([{"table": t, "rows": n} for t, n in result.rows.items()], right=("rows",))
    )
    console().print(
        f"{count_of(result.folded, 'row')} of raw folded in {result.seconds:.1f} s. Next: `lakeshelf up`"
    )


def continue_(*, as_json: AsJson = False) -> None:
    """Go on where the ledger ends after checkpoints were lost; the stack must be down."""
    from lakeshelf.stack.supervision.supervisor import kafka_for
    from lakeshelf.streams.declare import registry
    from lakeshelf.streams.recover import continuing, recovery

    settings = access.present()
    jobs = registry.discover(*settings.homes).values()
    recovery.require_stopped(settings, jobs)
    with kafka_for(settings, "lakeshelf continue") as client:
        starts = continuing.go_on(settings, jobs, client)
    if as_json:
        print_json(
            [
                {
                    "query": s.query,
                    "why": s.why,
                    "batch_id": s.number,
                    "repeats": s.first is not None,
                }
                for s in starts
            ]
        )
        return
    for start in starts:
        again = ", which was under way," if start.first is not None else ""
        console().print(
            f"{start.query} goes on with batch {start.number}{again} where the ledger ends: {start.why}",
            markup=False,
            soft_wrap=True,
        )
    if not starts:
        console().print("Every query goes on by itself.")
    console().print("Next: `lakeshelf up`")


def _show(made_tables: list[dict[str, Any]], made_topics: list[dict[str, Any]]) -> None:
    out = console()
    for kind, made in (("tables", made_tables), ("topics", made_topics)):
        counts: dict[str, int] = {}
        for entry in made:
            counts[entry["outcome"]] = counts.get(entry["outcome"], 0) + 1
        out.print(
            f"{kind}  " + ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
        )
    for entry in made_tables:
        if entry["added"]:
            out.print(f"  {entry['table']} has new columns {', '.join(entry['added'])}")
    for entry in made_topics:
        for name, actual, declared in entry["differences"]:
            line = f"  {entry['topic']}: {name} is {actual}, the contract says {declared}"
            out.print(line, style="red", soft_wrap=True)
    if any(entry["differences"] for entry in made_topics):
        out.print("next    `lakeshelf bootstrap --alter-topics`")
