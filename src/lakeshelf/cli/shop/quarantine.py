# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`quarantine list` and `replay-quarantine`: refused records, and the way back for corrected ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.listings import known
from lakeshelf.cli.console.output import MOST_ROWS, AsJson, console, errors, print_json, rows
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError

SHOWN, SHOWN_RECORDS = 80, 20
app = typer.Typer(help="Records that were refused.")


@app.command("list")
def list_(
    *,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST_ROWS, help="Most records; unset: 20, and all of them as JSON."
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Only those refused for this reason.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only those of this topic.")] = None,
    as_json: AsJson = False,
) -> None:
    """List refused records, newest first."""
    from lakeshelf.contracts import CATALOG
    from lakeshelf.streams.recover import quarantine

    settings = access.settings()
    known("topic", topic, CATALOG.topics)
    held = quarantine.chosen(settings.lake_root, topic, reason)
    most = held.num_rows if as_json else SHOWN_RECORDS
    records = quarantine.readable(held.slice(0, most if limit is None else limit))
    if as_json:
        print_json(records)
    elif not records:
        console().print("No refused records.")
    else:
        console().print(rows([_short(record) for record in records], right=("partition", "offset")))
        console().print(
            "Correct them: `lakeshelf quarantine list --json > refused.json`, edit `value`,"
        )
        console().print("then `lakeshelf replay-quarantine refused.json`")
    if len(records) < held.num_rows:
        notice = f"{len(records):,} of {held.num_rows:,} records; --limit N shows more"
        (errors() if as_json else console()).print(notice, markup=False)


def replay_quarantine(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Corrected records as `quarantine list --json` prints them; unset: stdin."
        ),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send corrected records back to the topics that they were refused on."""
    from lakeshelf.stack.embedded.clients import running_client
    from lakeshelf.streams.declare import plan, registry
    from lakeshelf.streams.recover import corrections

    settings = access.settings()
    plans = plan.plan(registry.discover(*settings.homes).values())
    client, records = running_client(settings), _records(file)
    sent = corrections.send(settings.lake_root, client, records, plans)
    if as_json:
        print_json({"sent": sent})
    else:
        console().print(
            f"{count_of(sent, 'record')} sent. Next: `lakeshelf quarantine list`, `lakeshelf status`"
        )


def _records(file: Path | None) -> Iterable[dict[str, Any]]:
    """A JSON list, or an object a line."""
    where = "standard input" if file is None else str(file)
    try:
        text = (sys.stdin.read() if file is None else file.read_text(encoding="utf-8")).strip()
        records = (
            json.loads(text)
            if text.startswith("[")
            else [json.loads(line) for line in text.splitlines()]
        )
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{where} holds no JSON records: {error}", hint="see `lakeshelf quarantine list --json`"
        ) from error
    if not all(isinstance(record, dict) for record in records):
        raise ConfigurationError(
            f"{where} holds something else than records",
            hint="see `lakeshelf quarantine list --json`",
        )
    return records


def _short(record: dict[str, Any]) -> dict[str, Any]:
    value = str(
        record.get("value") if record.get("value") is not None else record.get("value_base64", "")
    )
    named = {name: record[name] for name in ("topic", "partition", "offset", "reason", "detail")}
    return {**named, "value": value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"}
