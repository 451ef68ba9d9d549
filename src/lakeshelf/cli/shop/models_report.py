# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""What `models` prints: lists, cards, and comparisons."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lakeshelf.cli.console.output import add, console, grid, plain, print_json
from lakeshelf.counts import count_of
from lakeshelf.forecast.training.pages import SHOWN, bound, newest, number, pooled, settings

if TYPE_CHECKING:
    from lakeshelf.forecast.training.verifying import TrainingVerdict
    from lakeshelf.forecast.versions.cards import Card, CardGate
    from lakeshelf.forecast.versions.registry import Model


def print_models(models: Sequence[Model], as_json: bool) -> None:
    """Print versions."""
    if as_json:
        print_json([_record(model) for model in models])
        return
    if not models:
        console().print("No versions; the rule decides. Next: `lakeshelf models train`")
        return
    table = grid("version", "status", "trained until", "gates", "since", "by", "why")
    for model in models:
        since = plain(model.updated_at)
        cells = (model.trained_until, _passed(model), since, model.actor, model.reason)
        style = "bold" if model.status == "champion" else ""
        add(table, model.model_version, model.status, *cells, style=style)
    console().print(table)


def print_card(model: Model, card: Card, as_json: bool) -> None:
    """Print a version with its card."""
    if as_json:
        print_json({**_record(model), "card": card.model_dump(mode="json")})
        return
    head = grid("", "")
    for name, value in _head(model, card):
        add(head, name, value)
    console().print(head)
    for segment, metrics in pooled(card).items():
        console().print(f"{segment}, mean of {count_of(len(card.folds), 'fold')}", style="bold")
        console().print(_scores(metrics))
    console().print(f"gates, {newest(card.folds)}", style="bold")
    console().print(_gates(card.gates))


def print_page(card: Card) -> None:
    """Print a card as Markdown."""
    from lakeshelf.forecast.training.pages import markdown, of_card

    for line in markdown(of_card(card)).splitlines():
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def print_verdict(verdict: TrainingVerdict, as_json: bool) -> None:
    """Print what a second training says."""
    if as_json:
        print_json(verdict.as_json())
    elif verdict.equal:
        console().print(
            f"{verdict.version} is equal: files match their hashes, and training gives the same again."
        )
    else:
        table = grid("", "")
        add(table, "version", verdict.version)
        add(table, "trained again", verdict.again)
        add(table, "heads that differ", ", ".join(verdict.heads) or "none")
        add(table, "settings that differ", ", ".join(verdict.settings) or "none")
        add(table, "distribution of features", "differs" if verdict.reference else "equal")
        add(table, "code", "another one" if verdict.code else "the same")
        add(table, "libraries", "locked otherwise" if verdict.lock else "the same lock")
        console().print(table)


def print_acts(models: Sequence[Model]) -> None:
    """Print what an act makes of versions."""
    table = grid("version", "becomes", "trained until", "gates")
    for model in models:
        add(table, model.model_version, model.status, model.trained_until, _passed(model))
    console().print(table)
    if not any(model.status == "champion" for model in models) and any(
        model.status == "retired" and model.replaced is None for model in models
    ):
        console().print("Without a champion the rule decides.")


def print_comparison(one: Card, other: Card, as_json: bool) -> None:
    """Print two versions beside each other."""
    cards = {card.model_version: card for card in (one, other)}
    if as_json:
        print_json({name: card.model_dump(mode="json") for name, card in cards.items()})
        return
    table = grid("segment", "metric", *cards, right=tuple(cards))
    sides = [pooled(card) for card in cards.values()]
    for segment, metrics in sides[0].items():
        for metric in SHOWN:
            if metric in metrics:
                own = [_own(side.get(segment, {}).get(metric, {})) for side in sides]
                add(table, segment, metric, *map(number, own))
    console().print(table)
    facts = grid("", *cards)
    for name, values in _differences(one, other):
        add(facts, name, *values)
    console().print(facts)


def _record(model: Model) -> dict[str, Any]:
    return {**model.row(), "gates": json.loads(model.gates)}


def _passed(model: Model) -> str:
    gates, failed = json.loads(model.gates), model.failed_gates
    passed = f"{len(gates) - len(failed)} of {len(gates)}"
    return f"{passed}; not {', '.join(failed)}" if failed else passed


def _head(model: Model, card: Card) -> Iterator[tuple[str, Any]]:
    yield "version", card.model_version
    yield "status", model.status
    yield "why", f"{model.reason}, by {model.actor}, {plain(model.updated_at)}"
    yield "trained until", card.trained_until
    yield "run", card.run_id
    yield "read", [f"{pin.dataset} at version {pin.version}" for pin in card.inputs]
    yield (
        "folds",
        [f"{f.first_test_day} to {f.last_test_day}: {count_of(f.rows, 'row')}" for f in card.folds],
    )
    yield "settings", settings(card.settings)


def _scores(metrics: Mapping[str, Mapping[str, float]]) -> Any:
    shown = [metric for metric in SHOWN if metric in metrics]
    table = grid("contender", *shown, right=tuple(shown))
    for contender in metrics[shown[0]] if shown else ():
        own = contender == _model()
        values = (metrics[metric].get(contender) for metric in shown)
        add(table, contender, *map(number, values), style="bold" if own else "")
    return table


def _gates(gates: Sequence[CardGate]) -> Any:
    table = grid("gate", "", "measured", "bound", "what is measured", right=("measured",))
    for gate in gates:
        passed = "passed" if gate.passed else "not passed"
        cells = (number(gate.value), *bound(gate))
        add(table, gate.name, passed, *cells, style="" if gate.passed else "red")
    return table


def _differences(one: Card, other: Card) -> Iterator[tuple[str, tuple[Any, Any]]]:
    yield "trained until", (one.trained_until, other.trained_until)
    yield "gates not passed", (_failed(one), _failed(other))
    for name in sorted({*one.settings, *other.settings}):
        values = one.settings.get(name), other.settings.get(name)
        if values[0] != values[1] and not isinstance(values[0] or values[1], Mapping):
            yield name, values


def _failed(card: Card) -> str:
    return ", ".join(gate.name for gate in card.gates if not gate.passed) or "none"


def _own(values: Mapping[str, float]) -> float | None:
    return values.get(_model())


def _model() -> str:
    from lakeshelf.forecast.training.trials import NAME

    return NAME
