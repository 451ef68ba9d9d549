"""Writes the model card of the documentation from a result of `benchmarks.ml`: `python -m benchmarks.model_card`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.report import read
from benchmarks.writing import options_of, settled
from lakeshelf.forecast.demand.segments import SEGMENTS
from lakeshelf.forecast.training.pages import CardPage, markdown
from lakeshelf.forecast.versions.cards import CardFold, CardGate, parsed

FILE = "docs/model-card.md"
GATE = ("name", "value", "bound", "passed")


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` tell whether it is up to date."""
    options = options_of("benchmarks.model_card", __doc__, FILE, argv)
    result = read(options.results, "ml")
    if result is None:
        print("there is no result of benchmarks.ml yet", file=sys.stderr)
        return 1
    return settled(options, markdown(page(result)))


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
