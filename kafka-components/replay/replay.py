"""Replay of real receipts: the Complete Journey year as events, with books that balance."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from typer import Option

from lakeshelf.errors import ConfigurationError, LakeshelfError
from lakeshelf.kafka.authentication import authentication
from lakeshelf.settings import load_settings
from replay_events import events, opened, totals
from replay_faults import DUPLICATE, LATE, MALFORMED
from replay_plan import ReplayPlan, ReplayReport, Totals
from replay_send import Sender, paced

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["ReplayPlan", "ReplayReport", "Totals", "events", "main", "replay", "totals"]

SECONDS_BETWEEN_LINES = 5.0


def replay(
    plan: ReplayPlan,
    bootstrap_servers: str,
    progress: Callable[[int, int], None] = lambda sent, total: None,
    settings: Mapping[str, Any] | None = None,
) -> ReplayReport:
    """Send the records of a plan and wait until all are acknowledged.

    Args:
        plan: What to send.
        bootstrap_servers: Kafka, host:port[,…].
        progress: Called with the records acknowledged so far and their final number.
        settings: Further settings of the producer, such as for authentication.

    Raises:
        BrokerError: No broker, no topic, or a record that was not delivered.
    """
    sender = Sender(bootstrap_servers, settings)
    with opened(plan) as source:
        sender.require(topic for topic, number in source.totals.topics.items() if number)
        tally, started, total = _Tally(), time.monotonic(), source.totals.records
        for batch in paced(source.records(), plan.speed):
            sender.send(batch)
            tally.add(batch)
            progress(tally.records - sender.waiting, total)
        sender.finish()
        progress(total, total)
    return tally.report(time.monotonic() - started)


class _Tally:
    """Counts of what was sent, taken from the records themselves."""

    def __init__(self) -> None:
        self.topics: dict[str, int] = {}
        self.faults: dict[str | None, int] = {}
        self.reordered = 0
        self.latest: Any = None

    @property
    def records(self) -> int:
        return sum(self.topics.values())

    def add(self, batch: pa.RecordBatch) -> None:
        _add(self.topics, batch.column("topic"))
        _add(self.faults, batch.column("fault"))
        clean = (
            batch.filter(pc.is_null(batch.column("fault"))).column("event_time").cast(pa.int64())
        )
        if len(clean):
            latest = pc.cumulative_max(
                pa.concat_arrays([pa.array([self.latest or 0], pa.int64()), clean])
            )
            self.reordered += pc.sum(pc.less(clean, latest.slice(1))).as_py() or 0
            self.latest = latest[-1].as_py()

    def report(self, seconds: float) -> ReplayReport:
        malformed = {
            fault.removeprefix(MALFORMED): number
            for fault, number in self.faults.items()
            if fault and fault.startswith(MALFORMED)
        }
        return ReplayReport(
            topics=self.topics,
            malformed=malformed,
            duplicates=self.faults.get(DUPLICATE, 0),
            reordered=self.reordered,
            late=self.faults.get(LATE, 0),
            seconds=seconds,
        )


def _add(counts: dict[Any, int], values: pa.Array) -> None:
    for entry in pc.value_counts(values):
        name = entry["values"].as_py()
        counts[name] = counts.get(name, 0) + entry["counts"].as_py()


@contextmanager
def shown_progress(console: Console) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, else a plain line every five seconds."""
    if not console.is_terminal:
        yield _PlainProgress(console)
        return
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("replay", total=None)
        yield lambda sent, total: bar.update(task, completed=sent, total=total)


class _PlainProgress:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.shown = time.monotonic()

    def __call__(self, sent: int, total: int) -> None:
        if time.monotonic() - self.shown >= SECONDS_BETWEEN_LINES:
            self.shown = time.monotonic()
            self.console.print(f"replay: {sent:,} of {total:,} records", highlight=False)


def main(
    *,
    stores: Annotated[str, Option(help="The so many stores with most receipts, or `all`.")] = "10",
    speed: Annotated[
        float | None, Option(help="Business seconds a second; unset: as fast as possible.")
    ] = None,
    seed: Annotated[int, Option(help="Chooses where faults fall.")] = 0,
    malformed: Annotated[float, Option(help="Share of malformed records that are added.")] = 0.0,
    duplicates: Annotated[float, Option(help="Share of exact repeats that are added.")] = 0.0,
    reorder: Annotated[
        int, Option(help="Minutes of event time within which events are shuffled.")
    ] = 0,
    late: Annotated[float, Option(help="Share of events that are delivered last.")] = 0.0,
    since: Annotated[
        datetime | None, Option(formats=["%Y-%m-%d"], help="First day of receipts.")
    ] = None,
    until: Annotated[
        datetime | None, Option(formats=["%Y-%m-%d"], help="Day after the last one.")
    ] = None,
    baskets: Annotated[int | None, Option(help="Only the so many earliest baskets.")] = None,
    profiles: Annotated[bool, Option(help="Publish the profiles of the shelves first.")] = True,
    promotions: Annotated[bool, Option(help="Publish their displays and mailers then.")] = False,
    bootstrap_servers: Annotated[str | None, Option(help="Kafka, host:port[,…].")] = None,
    as_json: Annotated[bool, Option("--json", help="Print the report as JSON.")] = False,
    debug: Annotated[bool, Option(help="Show the traceback of an error.")] = False,
) -> None:
    """Replay a year of real receipts of the Complete Journey data into Kafka."""
    try:
        plan = ReplayPlan(
            stores=parsed_stores(stores),
            speed=speed,
            seed=seed,
            malformed=malformed,
            duplicates=duplicates,
            reorder_minutes=reorder,
            late=late,
            since=_day(since),
            until=_day(until),
            baskets=baskets,
            profiles=profiles,
            promotions=promotions,
        )
        servers = bootstrap_servers or _configured_servers()
        with shown_progress(Console(stderr=True)) as progress:
            report = replay(
                plan,
                servers,
                progress,
                authentication(load_settings(bootstrap_servers=servers)),
            )
    except LakeshelfError as error:
        if debug:
            raise
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        typer.echo(
            "replay: stopped; replay again at will, what arrived twice is recognised", err=True
        )
        raise typer.Exit(130) from None
    typer.echo(json.dumps(report.as_json()) if as_json else rendered(report))


def parsed_stores(value: str) -> int | None:
    """The number of stores of an option `N|all`.

    Raises:
        ConfigurationError: Neither a number above 0 nor `all`.
    """
    if value == "all":
        return None
    if not value.isdecimal() or int(value) == 0:
        raise ConfigurationError(f"--stores is {value!r}", hint="give a number above 0, or `all`")
    return int(value)


def rendered(report: ReplayReport) -> str:
    """The report as a few lines of text."""
    rate = report.records / report.seconds if report.seconds else 0
    lines = [f"{topic:<18}{number:>12,}" for topic, number in sorted(report.topics.items())]
    malformed = sum(report.malformed.values())
    return "\n".join(
        [
            *lines,
            f"{'all':<18}{report.records:>12,}  in {report.seconds:.1f} s, {rate:,.0f} a second",
            f"malformed {malformed:,}, duplicates {report.duplicates:,}, "
            f"reordered {report.reordered:,}, late {report.late:,}",
        ]
    )


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _configured_servers() -> str:
    servers = load_settings().bootstrap_servers
    if servers is None:
        raise ConfigurationError(
            "no Kafka named", hint="give --bootstrap-servers, or set LAKESHELF_BOOTSTRAP_SERVERS"
        )
    return servers


if __name__ == "__main__":
    typer.run(main)
