"""Versions of a model in a lake: a champion, the one before it, a candidate that passed and one that failed a gate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.versions import registered, registry
from lakeshelf.forecast.versions.cards import CardGate
from lakeshelf.forecast.versions.registry import Attribution, Model, Registry
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.forecast.versions.test_registry import card

FORMER, CHAMPION, CANDIDATE, FAILED = (f"202609{day}-0123456789ab" for day in (20, 21, 22, 23))
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
LAST = date(2026, 10, 14)
PASSED = CardGate(name="pinball", value=0.06, bound=0.05, passed=True)
MISSED = CardGate(name="bias", value=0.093, bound=0.05, passed=False)
SCORES = {"lightgbm": 0.5, "sba": 0.55, "zero": 1.25}
"""Contender → deviance on the first fold; on the second, of as many rows, a tenth more."""
SHARES = {
    **{"below_q50": 0.3, "below_q90": 0.86, "below_q95": 0.88},
    **{"coverage_q50": 0.61, "coverage_q90": 0.92, "coverage_q95": 0.93},
}
"""Shares of demand below and up to quantiles, of every contender; 0.95 covers too little."""


def write(root: Path) -> None:
    """Write versions, the scores of each, and the health of the champion."""
    for number, name in enumerate((FORMER, CHAMPION, CANDIDATE, FAILED)):
        add(root, name, number, (PASSED, MISSED) if name == FAILED else (PASSED,))
        _rows(root, Ops.MODEL_SCORES, *_scores(name))
    for name in (FORMER, FORMER, CHAMPION, CHAMPION):
        _advance(root, name)
    _rows(root, Ops.MODEL_HEALTH, *_health())


def _advance(root: Path, name: str) -> None:
    _change(root, lambda known: registry.advance(known, name, act("mia")))


def act(actor: str, reason: str = "every 28 days", number: int = 9) -> Attribution:
    return Attribution(actor, BEGIN + timedelta(hours=number), reason)


def add(root: Path, name: str, number: int, gates: tuple[CardGate, ...], **told: Any) -> None:
    """Register a version."""
    of = card(CHAMPION).model_copy(update={"gates": gates})
    by = act("training-service", number=number)

    def registered_(_: Registry) -> tuple[Model, ...]:
        (made,) = registry.register(Registry({}), of, "f" * 64, by)
        return (replace(made, model_version=name, **told),)

    _change(root, registered_)


def _change(root: Path, do: registered.Change) -> None:
    registered.change(registered.writer(root), do)


def _rows(root: Path, name: str, *rows: dict[str, Any]) -> None:
    contract = CATALOG.tables[name]
    tables.ensure(root, contract)
    table = pa.Table.from_pylist(list(rows), arrow.schema(contract.columns))
    Lake(root, writer=contract.owner).append(name, table)


def _scores(name: str) -> list[dict[str, Any]]:
    return [
        {"model_version": name, "fold": fold, "segment": segment, "metric": metric}
        | {"contender": contender, "value": value, "rows": 100}
        for fold, times in ((date(2026, 9, 1), 1.0), (date(2026, 9, 29), 1.1))
        for segment in ("active", "store:S1")
        for contender, deviance in SCORES.items()
        for metric, value in {"deviance": deviance * times, **SHARES}.items()
    ]


def _health() -> list[dict[str, Any]]:
    row = {"model_version": CHAMPION, "store_id": "S1", "value": 0.3, "bound": 0.1}
    return [
        {**row, "day": LAST - timedelta(days=1), "metric": "psi", "verdict": "red"},
        {**row, "day": LAST, "metric": "bias_28d", "verdict": "red"},
        {**row, "day": LAST, "metric": "psi", "verdict": "green", "store_id": ""},
    ]
