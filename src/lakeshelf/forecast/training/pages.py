"""A model card as a page in Markdown: what a version is, what it was tried on, and what it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakeshelf.counts import count_of

if TYPE_CHECKING:
    from lakeshelf.forecast.versions.cards import Card, CardFold, CardGate

SHOWN = ("deviance", "pinball", "bias", "coverage_q90", "coverage_q95", "rmse")
"""Metrics that people see; programs get all."""
Pooled = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Segment → metric → contender → mean of the folds."""
PURPOSE = """\
It forecasts what customers of a shelf will want until the delivery after the next, from what was known when the
cutoff day began: receipts, lost sales, visits, prices, discounts, planned promotions and the calendar. It reads neither
stock nor orders, and orders only for shelves whose policy says `ml`."""
LIMITS = """\
Receipts are a floor of demand: what was wanted of an empty shelf is known only where lost sales are observed. Scores
are of the stores and weeks below, and say nothing of others."""


@dataclass(frozen=True)
class CardPage:
    """What a page tells.

    Attributes:
        title: Its heading.
        facts: Names and texts.
        folds: Folds of the trial, the newest last.
        scores: Scores of the model and the baselines beside it.
        gates: What it had to show on the newest fold.
    """

    title: str
    facts: Sequence[tuple[str, str]]
    folds: Sequence[CardFold]
    scores: Pooled
    gates: Sequence[CardGate]


def of_card(card: Card) -> CardPage:
    """The page of a version."""
    facts = (
        ("trained until", str(card.trained_until)),
        ("run", card.run_id),
        *((pin.dataset, f"version {pin.version}, rows {pin.fingerprint}") for pin in card.inputs),
        ("code", card.code_sha256),
        ("lock", card.lock_sha256 or "none"),
        ("settings", settings(card.settings)),
    )
    title = f"{card.model_name} {card.model_version}"
    return CardPage(title, facts, card.folds, pooled(card), card.gates)


def markdown(page: CardPage) -> str:
    """The page as text."""
    return "\n".join(
        [
            f"# Model card: {page.title}",
            *("", PURPOSE, "", LIMITS, "", "## Origin", ""),
            *_table(("", ""), page.facts),
            *("", "## Folds", ""),
            *_table(("learned from", "until", "tested on", "until", "rows"), _folds(page.folds)),
            *_scores(page),
            *("", f"## Gates: {newest(page.folds)}", ""),
            *_table(("gate", "passed", "measured", "bound", "what is measured"), _gates(page)),
            "",
        ]
    )


def newest(folds: Sequence[CardFold]) -> str:
    """The fold that the gates looked at, and how long it was."""
    if not folds:
        return "newest fold"
    last = folds[-1]
    days = (last.last_test_day - last.first_test_day).days + 1
    return f"newest fold, {count_of(days, 'day')} from {last.first_test_day} on"


def pooled(card: Card) -> dict[str, dict[str, dict[str, float]]]:
    """Scores of a card, each the mean of the folds, weighted by their rows."""
    sums: dict[tuple[str, str, str], tuple[float, int]] = {}
    for score in card.scores:
        if score.value is not None:
            key = (score.segment, score.metric, score.contender)
            total, count = sums.get(key, (0.0, 0))
            sums[key] = (total + score.value * score.rows, count + score.rows)
    table: dict[str, dict[str, dict[str, float]]] = {}
    for (segment, metric, contender), (total, count) in sums.items():
        means = table.setdefault(segment, {}).setdefault(metric, {})
        means[contender] = total / max(count, 1)
    return table


def settings(values: Mapping[str, Any]) -> str:
    """Settings that are one value each, in one line."""
    scalars = {n: value for n, value in values.items() if not isinstance(value, Mapping)}
    return ", ".join(f"{name} {number(value)}" for name, value in scalars.items())


def number(value: Any) -> str:
    """A number with four digits that mean something; `-` where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def bound(gate: CardGate) -> tuple[str, str]:
    """The bound of a gate with its direction, and what is measured."""
    from lakeshelf.forecast.model.gates import GATES  # noqa: PLC0415 - of an extra

    own = next((one for one in GATES if one.name == gate.name), None)
    return (
        f"{'at least' if own and own.least else 'at most'} {number(gate.bound)}",
        own.rule if own else "",
    )


def _folds(folds: Sequence[CardFold]) -> Iterator[tuple[str, ...]]:
    for fold in folds:
        days = (fold.first_label_day, fold.last_label_day, fold.first_test_day, fold.last_test_day)
        yield *map(str, days), f"{fold.rows:,}"


def _scores(page: CardPage) -> Iterator[str]:
    for segment, metrics in page.scores.items():
        shown = [metric for metric in SHOWN if metric in metrics]
        yield from ("", f"## Scores: {segment}, mean of {count_of(len(page.folds), 'fold')}", "")
        contenders = metrics[shown[0]] if shown else ()
        cells = ((one, *(number(metrics[m].get(one)) for m in shown)) for one in contenders)
        yield from _table(("contender", *shown), cells)


def _gates(page: CardPage) -> Iterator[tuple[str, ...]]:
    for gate in page.gates:
        own, rule = bound(gate)
        yield gate.name, "yes" if gate.passed else "no", number(gate.value), own, rule


def _table(
    head: Sequence[str], rows: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]
) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    plain = (" ".join(cell.split()).replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(plain)} |"
