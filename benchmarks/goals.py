"""Writes goals of forecasts that were not reached, and why, into their page: `python -m benchmarks.goals [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import ml, reaction_models, whatif
from benchmarks.harness import Benchmark, Figure, figure_of, goal_text, text
from benchmarks.report import read
from benchmarks.whatif_model import BELOW_RULE
from benchmarks.writing import options_of, settled

FILE = "docs/forecasting.md"
BEGIN, END = "<!-- goals: begin -->", "<!-- goals: end -->"
BENCHMARKS: tuple[Benchmark, ...] = (ml.BENCHMARK, whatif.BENCHMARK, reaction_models.BENCHMARK)
HEAD = "| what was not reached | goal | measured | why |\n| --- | ---: | ---: | --- |"
OTHERS = "others_"
"""Begins the key of a figure of the stores that nobody had looked at; the reason is that of the others."""
EARLIER = (
    "earlier folds gain less, hardly for lack of months: the newest does as well with half of them"
)
BESIDE = "other work took part of the machine while it was measured"
REASONS: Mapping[str, str] = {
    "deviance_active": EARLIER,
    **dict.fromkeys(
        ("deviance_often", "pinball_active", "pinball_tail"),
        f"of the ten busiest the newest fold reaches it; {EARLIER}",
    ),
    **dict.fromkeys(
        (f"below_{others}_{fill:.2f}" for others in ("rule", "rivals") for fill in BELOW_RULE),
        "one that knows the rates would need less (page of benchmarks); what of that can be learned is not known",
    ),
    "fresh_below_rivals": "even one that knows the rates would gain a few percent (page of benchmarks)",
    "bias": "no season comes twice in a year: the first fold is not biased as the newest is (page of benchmarks)",
    "stores": "too much in one store and too little in another even out in the sum of all, not in each",
    "coverage_q90": "even the true quantile of whole units covers more than its level",
    "gates": "the bias of single stores, as above",
    "fill_10": BESIDE,
    "fill_10000": f"a statement makes one day, where of ten stores it makes five; {BESIDE}",
    "alert_more": "two more processes share two cores; stacks of the same kind differ from one another by as much",
    "memory": "the trial holds all rows, folds and baselines at once; `models train` is measured apart",
}
"""Figure → why its goal is out of reach."""
UNKNOWN = "not known yet"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the table, or with `--check` tell whether it is up to date."""
    options = options_of("benchmarks.goals", __doc__, FILE, argv)
    return settled(options, rendered(options.page.read_text(encoding="utf-8"), options.results))


def rendered(page: str, results: Path) -> str:
    """The page with the table between its markers made anew.

    Args:
        page: The page.
        results: Folder of result files.

    Raises:
        ValueError: A marker is missing.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{FILE} has no {BEGIN} … {END}; put both lines back")
    return f"{head}{BEGIN}\n\n{section(results)}\n\n{END}{tail}"


def section(results: Path) -> str:
    """How many goals were reached, and those that were not."""
    judged = [one for benchmark in BENCHMARKS for one in _judged(benchmark, results)]
    missed = [(figure, median) for figure, median, is_reached in judged if not is_reached]
    said = f"{len(judged) - len(missed)} of {len(judged)} goals were reached."
    return "\n".join([said, "", HEAD, *(_row(figure, median) for figure, median in missed)])


def _judged(benchmark: Benchmark, results: Path) -> Iterator[tuple[Figure, float, bool]]:
    """Figures of a result that have a goal today, what was measured, and whether that is enough."""
    result: Mapping[str, Any] = read(results, benchmark.name) or {"figures": (), "parameters": {}}
    today = benchmark.figures({**benchmark.defaults, **result["parameters"]})
    declared = {figure.key: figure for figure in today}
    for entry in result["figures"]:
        figure, median = declared.get(entry["key"]) or figure_of(entry), entry["median"]
        is_reached = None if median is None else figure.reached(median)
        if is_reached is not None:
            yield figure, median, is_reached


def _row(figure: Figure, median: float) -> str:
    reason = REASONS.get(figure.key.removeprefix(OTHERS), UNKNOWN)
    measured = f"{text(median)} {figure.unit}".strip()
    return f"| {figure.title} | {goal_text(figure)} | {measured} | {reason} |"


if __name__ == "__main__":
    sys.exit(main())
