"""Writes the model card of the documentation from a result of `benchmarks.ml`: `python -m benchmarks.model_card`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS
from benchmarks.machine import home
from benchmarks.report import read
from lakeshelf.forecast.demand.segments import SEGMENTS
from lakeshelf.forecast.training.pages import CardPage, markdown
from lakeshelf.forecast.versions.cards import CardFold, CardGate, parsed

FILE = "docs/model-card.md"
GATE = ("name", "value", "bound", "passed")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` tell whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_card", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if it would")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of result files")
    parser.add_argument("--page", type=Path, default=home() / FILE, help="page to write")
    options = parser.parse_args(argv)
    result = read(options.results, "ml")
    if result is None:
        print("there is no result of benchmarks.ml yet", file=sys.stderr)
        return 1
    made = markdown(page(result))
    if options.check:
        return _checked(options.page, made)
    options.page.write_text(made, encoding="utf-8")
    return 0


def _checked(place: Path, made: str) -> int:
    """Whether a page is as it would be written; if not, a line says so."""
    fault = "out of date" if place.is_file() else "not there"
    if fault == "out of date" and place.read_text(encoding="utf-8") == made:
        return 0
    print(f"{place} is {fault}: run `python -m benchmarks.model_card`", file=sys.stderr)
    return 1


def page(result: Mapping[str, Any]) -> CardPage:
    """What the last run of a result tells of the model."""
    run = result["runs"][-1]
    return CardPage(
        title="a year of real receipts",
        facts=tuple(facts(result)),
        folds=[parsed(CardFold, json.dumps(one).encode(), FILE) for one in run["folds"]],
        scores={name: run["scores"][name] for name in SEGMENTS if name in run["scores"]},
        gates=[CardGate(**{name: gate[name] for name in GATE}) for gate in run["gates"]],
    )


def facts(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Where the figures come from."""
    parameters = ", ".join(f"{name} {value}" for name, value in result["parameters"].items())
    yield "receipts", "Complete Journey, the busiest stores, without fuel, coupons and miscellany"
    yield "parameters", parameters
    yield "seed", str(result["runs"][-1]["seed"])
    yield "measured", f"{result['made_at'][:10]}, {result['machine']['cpu']}"
    yield "versions", ", ".join(f"{name} {value}" for name, value in result["versions"].items())
    yield "again", "`python -m benchmarks.ml`, then `python -m benchmarks.model_card`"


if __name__ == "__main__":
    sys.exit(main())
