"""Renders the tables of docs/benchmarks.md from the result files: `python -m benchmarks.report [--check]`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    bronze,
    catchup,
    cluster,
    containers,
    decoding,
    demo,
    effect,
    growth,
    idle,
    isolation,
    latency,
    library,
    loop,
    merging,
    ml,
    obeying,
    pages,
    peers,
    publication,
    queries,
    reaction,
    reaction_models,
    serving,
    soak,
    trend,
    validation,
    watching,
    whatif,
)
from benchmarks.harness import Benchmark, Figure, figure_of, goal_text, text
from benchmarks.trend import Point
from benchmarks.writing import options_of, outdated, settled

BENCHMARKS: tuple[Benchmark, ...] = tuple(
    module.BENCHMARK
    for module in (
        catchup,
        peers,
        latency,
        idle,
        growth,
        demo,
        reaction,
        reaction_models,
        isolation,
        loop,
        soak,
        library,
        queries,
        bronze,
        decoding,
        validation,
        publication,
        merging,
        serving,
        pages,
        effect,
        obeying,
        cluster,
        containers,
        watching,
        whatif,
        ml,
    )
)
PAGE = "docs/benchmarks.md"
HEAD = "| figure | unit | to reach | measured (median) | min | max | reached | before |"
RULE = "| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |"
BUSY_LOAD = 2
"""Load a core above which other work takes most of the machine."""
BUSY = "**Other work took most of the machine as this began**: times that are reached hold, others say little."
VERDICTS = {None: "", True: "yes", False: "no"}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the tables into the page, or with `--check` tell whether they are up to date."""
    options = options_of("benchmarks.report", __doc__, PAGE, argv)
    kept = trend.read(options.results)
    results = (read(options.results, benchmark.name) for benchmark in BENCHMARKS)
    grown = trend.with_results(kept, filter(None, results))
    made = rendered(options.page.read_text(encoding="utf-8"), options.results, grown)
    if not options.check:
        trend.write(options.results, grown)
    elif kept != grown:
        return outdated(options, options.results / trend.FILE)
    return settled(options, made)


def rendered(page: str, results: Path, points: trend.Trend) -> str:
    """The page with the tables between its markers made anew.

    Args:
        page: The page.
        results: Folder of result files.
        points: What was measured before.

    Raises:
        ValueError: A marker is missing.
    """
    for benchmark in BENCHMARKS:
        begin, end = (f"<!-- {benchmark.name}: {word} -->" for word in ("begin", "end"))
        if begin not in page or end not in page:
            raise ValueError(f"{PAGE} has no {begin} … {end}; put both lines back")
        head, _, rest = page.partition(begin)
        result = read(results, benchmark.name)
        earlier = None if result is None else trend.before(points, result)
        page = (
            f"{head}{begin}\n\n{section(benchmark, result, earlier)}\n{end}{rest.partition(end)[2]}"
        )
    return page


def read(results: Path, name: str) -> dict[str, Any] | None:
    """A result; None when there is none yet."""
    file = results / f"{name}.json"
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None


def section(benchmark: Benchmark, result: Mapping[str, Any] | None, earlier: Point | None) -> str:
    """Table of a benchmark, with the goals of today, and under it what it was measured on."""
    if result is None:
        rows = [row(f, {}) for f in benchmark.figures(benchmark.defaults)]
        return "\n".join([HEAD, RULE, *rows, ""])
    medians = {} if earlier is None else earlier["figures"]
    declared = {f.key: f for f in benchmark.figures({**benchmark.defaults, **result["parameters"]})}
    lines = [
        row(declared.get(entry["key"]) or figure_of(entry), entry, medians.get(entry["key"]))
        for entry in result["figures"]
    ]
    origins = origin(result)
    if earlier is not None:
        origins.append(
            f"Before: version {earlier['version']} on {earlier['on']}, {earlier['cpu']}."
        )
    return "\n".join([HEAD, RULE, *lines, "", *notes(result), *origins, ""])


def row(figure: Figure, entry: Mapping[str, Any], earlier: float | None = None) -> str:
    """One line of a table, with the median that was measured before."""
    median = entry.get("median")
    reached = VERDICTS[None if median is None else figure.reached(median)]
    bounds = ("" if median is None else text(entry[name]) for name in ("min", "max"))
    cells = (figure.title, figure.unit, goal_text(figure), text(median), *bounds, reached)
    cells = (*cells, "" if earlier is None else text(earlier))
    return f"| {' | '.join(cells)} |"


def notes(result: Mapping[str, Any]) -> list[str]:
    """What the last run tells beside its figures, and an empty line behind it."""
    lines = list(result["runs"][-1].get("notes", ()))
    return [*lines, ""] if lines else []


def origin(result: Mapping[str, Any]) -> list[str]:
    """Machine, versions, parameters."""
    machine = result["machine"]
    runs = result["runs"]
    loads = ", ".join(text(run["load_before"]) for run in runs)
    is_busy = runs[0]["load_before"] > BUSY_LOAD * machine["cores"]
    parameters = ", ".join(f"{k} {_plain(v)}" for k, v in result["parameters"].items())
    versions = ", ".join(f"{k} {v}" for k, v in result["versions"].items())
    return [
        f"{len(runs)} runs on {result['made_at'][:10]}, seeds from {result['seed']}; {parameters}.",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['kernel']},"
        f" {machine['file_system']}; load before the runs {loads}.",
        *([BUSY] if is_busy else []),
        f"Versions: {versions}.",
    ]


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
