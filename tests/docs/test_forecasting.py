"""Every number of docs/forecasting.md is one that the code declares, or that a benchmark has measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import goals
from lakeshelf.contracts.retail.features import LONGEST
from lakeshelf.forecast.demand.segments import ACTIVE_DAYS, SEGMENTS
from lakeshelf.forecast.inference.reasons import TOP
from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.calibration import DECIDING
from lakeshelf.forecast.model.folds import PLAN
from lakeshelf.forecast.training.lessons import LEAST_DAYS
from lakeshelf.forecast.versions.health import TO_TRAIN_DAYS
from lakeshelf.forecast.whatif.answers import POINTS, SERVICES
from lakeshelf.settings import Settings
from tests.components.bench import module

PAGE = Path(__file__).parents[2] / "docs" / "forecasting.md"
WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen"),
)
PARTS, HALF_A_YEAR = {2: "half", 4: "quarter"}, 182
NUMBER = re.compile(rf"\d[\d,.]*|\b(?:{'|'.join(WORDS[3:])})\b")
"""Two things are mostly no measure: two people, two ways."""


def prose() -> str:
    """The page without what is read from result files, commands, names in code and targets of links, as one line."""
    measured = rf"{goals.BEGIN}.*?{goals.END}"
    text = re.sub(rf"{measured}|```.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return " ".join(re.sub(r"`[^`]*`|\]\([^)]*\)", "", text).split())


def default(name: str) -> int:
    return int(Settings.model_fields[name].default)


def facts() -> list[str]:
    """What the page says with a number, made of what the code declares."""
    beside = module("training-service").versions_in_use.BESIDE
    _, active, *more = (least for least, _ in SEGMENTS.values())
    lines = [WORDS[least] for least in (active, *more[:2])]
    segments = [name for name in SEGMENTS if name != "all"]
    some = f"{', '.join(lines)} receipt lines or more in {ACTIVE_DAYS} days"
    weeks = WORDS[PLAN.weeks]
    assert LONGEST == HALF_A_YEAR
    return [
        f"tried beside {WORDS[len(BASELINES)]} simple methods",
        f"receipts of {WORDS[-(-LEAST_DAYS // 7)]} weeks: {WORDS[PLAN.least_weeks]} of cutoff days",
        f"and {PLAN.least_rows:,} rows",
        f"{WORDS[PLAN.folds]} folds of {weeks} weeks",
        f"newest {PARTS[PLAN.parts]} of its weeks, {weeks} at most",
        "receipts of half a year",
        f"newest fold, {weeks} weeks or fewer",
        f"({default('train_every_days')}) of business time",
        f"for {WORDS[beside.days // 7]} weeks of cutoff days",
        f"red for {WORDS[TO_TRAIN_DAYS]} days is trained anew",
        "; ".join(segments),
        f"shelves with {some}; those with fewer than {lines[0]}",
        f"quantiles {DECIDING[0]} to {DECIDING[-1]}",
        "less one; 0 is right",
        f"{WORDS[len(POINTS)]} reorder points of the rule and {WORDS[len(SERVICES)]} service levels of the model",
        f"the {WORDS[TOP]} features that say most",
        f"({default('run_retention_days')}); after that",
        "It exits with 1 where",
    ]


@pytest.mark.parametrize("fact", facts())
def test_a_number_of_the_page_is_that_of_the_code(fact: str) -> None:
    assert fact in prose()


def test_what_was_measured_is_that_of_the_result_files() -> None:
    assert goals.main(["--check"]) == 0, "run `python -m benchmarks.goals`"


def test_the_page_has_no_other_number() -> None:
    text = prose()
    for fact in facts():
        text = text.replace(fact, "")
    assert NUMBER.findall(text) == []
