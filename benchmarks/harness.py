"""What all benchmarks share: options, the machine, versions, summaries, result files, tables."""

from __future__ import annotations

import argparse
import json
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, versions

RESULTS = Path(__file__).parent / "results"
LOCAL_RESULTS = RESULTS / "local"
"""Where results of `--quick` go; git ignores them."""
PLAIN_WIDTH = 140

Parameters = Mapping[str, Any]
Run = Mapping[str, Any]
"""What one run gave: `figures` (key → number), and whatever else explains them."""


@dataclass(frozen=True)
class Figure:
    """One number that a benchmark gives.

    Attributes:
        key: Its name in the result file.
        title: What it is, for people.
        unit: Its unit.
        goal: Figure to reach; None: there is none.
        higher: Whether more is better.
    """

    key: str
    title: str
    unit: str
    goal: float | None = None
    higher: bool = False

    def reached(self, measured: float) -> bool | None:
        """Whether the goal is met; None without a goal."""
        if self.goal is None:
            return None
        return measured >= self.goal if self.higher else measured <= self.goal


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as data.

    Attributes:
        name: Name of its module and of its result file.
        title: What it measures.
        defaults: Parameters of the real benchmark.
        quick: Parameters that differ in a tiny one.
        figures: The numbers that it gives with some parameters.
        run: Measures once, given parameters, seed, an empty folder and where to say what it does.
    """

    name: str
    title: str
    defaults: Parameters
    quick: Parameters
    figures: Callable[[Parameters], Sequence[Figure]]
    run: Callable[[Parameters, int, Path, Callable[[str], None]], Run]


def main(benchmark: Benchmark, argv: Sequence[str] | None = None) -> int:
    """Run a benchmark from the command line; the exit code."""
    options = _parser(benchmark).parse_args(argv)
    parameters = _parameters(benchmark, options)
    console = make_console()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # ends what it started
    runs = []
    for number in range(options.runs):

        def say(text: str, number: int = number) -> None:
            run = f"{benchmark.name} {number + 1}/{options.runs}"
            console.print(f"{run}  {text}", style="dim", markup=False, soft_wrap=True)

        with scratch(options.scratch) as folder:
            load = os.getloadavg()[0]
            measured = benchmark.run(parameters, options.seed + number, folder, say)
            runs.append({"load_before": round(load, 2), "seed": options.seed + number, **measured})
    result = assemble(benchmark, parameters, options, runs)
    out = options.out or (LOCAL_RESULTS if options.quick else RESULTS)
    file = write(out, result)
    console.print(results_table(result))
    console.print(f"result  {file}", soft_wrap=True, markup=False)
    return 0


def assemble(
    benchmark: Benchmark, parameters: Parameters, options: argparse.Namespace, runs: Sequence[Run]
) -> dict[str, Any]:
    """The result of a benchmark, as it is written."""
    figures = benchmark.figures(parameters)
    if options.quick:  # a tiny run is compared with nothing
        figures = [replace(figure, goal=None) for figure in figures]
    return {
        "benchmark": benchmark.name,
        "title": benchmark.title,
        "quick": options.quick,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": options.seed,
        "parameters": dict(parameters),
        "machine": machine(options.scratch),
        "versions": versions(),
        "figures": [{**asdict(f), **summary(runs, f.key)} for f in figures],
        "runs": list(runs),
    }


def summary(runs: Sequence[Run], key: str) -> dict[str, float | None]:
    """Median, smallest and largest value of a figure; None where no run has it."""
    values = [v for run in runs if (v := run["figures"].get(key)) is not None]
    if not values:
        return {"median": None, "min": None, "max": None}
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def percentile(values: Sequence[float], percent: float) -> float:
    """Smallest value that at least `percent` of the values do not exceed; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Percentiles of many values, for a result file."""
    if not values:
        return {"count": 0}
    shown = {f"p{p}": round(percentile(values, p), 3) for p in (50, 95, 99)}
    return {"count": len(values), **shown, "max": round(max(values), 3)}


def write(folder: Path, result: Mapping[str, Any]) -> Path:
    """Write a result as `<benchmark>.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{result['benchmark']}.json"
    file.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return file


def results_table(result: Mapping[str, Any]) -> Table:
    """The figures of a result as a table."""
    table = Table(title=result["title"], title_justify="left")
    for title in ("figure", "unit", "to reach", "median", "min", "max", "reached"):
        words = title in ("figure", "unit", "reached")
        table.add_column(title, justify="left" if words else "right")
    for entry in result["figures"]:
        figure = figure_of(entry)
        numbers = (text(entry[name]) for name in ("median", "min", "max"))
        reached = None if entry["median"] is None else figure.reached(entry["median"])
        verdict = {None: "", True: "yes", False: "[red]no[/]"}[reached]
        table.add_row(figure.title, figure.unit, goal_text(figure), *numbers, verdict)
    return table


def figure_of(entry: Mapping[str, Any]) -> Figure:
    """The figure that an entry of a result file means."""
    return Figure(**{name: entry[name] for name in ("key", "title", "unit", "goal", "higher")})


def goal_text(figure: Figure) -> str:
    """The goal with its direction; empty when there is none."""
    return "" if figure.goal is None else f"{'≥' if figure.higher else '≤'} {text(figure.goal)}"


def text(value: float | None) -> str:
    """A number with three figures that mean something."""
    if value is None:
        return "not measured"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    shown = f"{value:.{min(digits, 4)}f}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def rounded(values: Mapping[str, float]) -> dict[str, float | None]:
    """Figures with four digits after the point; what is not a number becomes None."""
    return {k: None if math.isnan(v) else round(v, 4) for k, v in values.items()}


def make_console() -> Console:
    """Console of a benchmark; wide where no terminal sets a width."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


@contextmanager
def scratch(parent: Path | None) -> Iterator[Path]:
    """An empty folder for a run, removed afterwards; `parent` is made where it is not there."""
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="lakeshelf-bench-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def wait_for(what: str, done: Callable[[], bool], timeout: float, poll: float = 0.25) -> float:
    """Wait until something is so; the seconds that it took.

    Raises:
        TimeoutError: It is not so after `timeout` seconds.
    """
    started = time.monotonic()
    while not done():
        if time.monotonic() - started > timeout:
            raise TimeoutError(f"waited {timeout:.0f} s for {what}")
        time.sleep(poll)
    return time.monotonic() - started


def _parser(benchmark: Benchmark) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{benchmark.name}", description=benchmark.title
    )
    parser.add_argument("--runs", type=int, default=3, help="how often to measure (3)")
    parser.add_argument("--quick", action="store_true", help="tiny: shows that it works, no more")
    parser.add_argument("--seed", type=int, default=1, help="seed of the first run (1)")
    parser.add_argument("--out", type=Path, help="folder of the result file")
    parser.add_argument("--scratch", type=Path, help="folder for lakes; unset: the system's own")
    for name, value in benchmark.defaults.items():
        many = isinstance(value, list)
        kind: Callable[[str], Any] = type(value[0]) if many else type(value)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            nargs="+" if many else None,
            help=f"({' '.join(map(str, value)) if many else value})",
        )
    return parser


def _parameters(benchmark: Benchmark, options: argparse.Namespace) -> dict[str, Any]:
    base = {**benchmark.defaults, **(benchmark.quick if options.quick else {})}
    overrides = {name: getattr(options, name) for name in base}
    return {name: base[name] if value is None else value for name, value in overrides.items()}
