"""What a card says of a training: where it comes from, and what it came to."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand.segments import SEGMENTS
from lakeshelf.forecast.model.folds import EvaluationFold as Span
from lakeshelf.forecast.model.folds import usable
from lakeshelf.forecast.model.rows import days, last_label_days
from lakeshelf.forecast.training.trials import TrainingOutcome
from lakeshelf.forecast.versions.cards import CardFold, CardGate, Origin, Pinned, Score
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.lake.history import runs
from lakeshelf.lake.place.location import Root
from lakeshelf.settings import project_home

CODE = Path(__file__).parents[1]
"""The code that a training depends on."""
LOCK = "requirements.lock"


def origin(
    outcome: TrainingOutcome,
    rows: pa.Table,
    trained_until: date,
    run_id: str,
    inputs: tuple[Pinned, ...],
) -> Origin:
    """What the card of a version says beside the version itself.

    Args:
        outcome: What the training came to.
        rows: Rows of the trial.
        trained_until: Last day whose demand is in a label.
        run_id: Run that read them.
        inputs: What it read.
    """
    usable_rows = usable(rows)
    return Origin(
        model_name=MODEL,
        trained_until=trained_until,
        run_id=run_id,
        inputs=inputs,
        code_sha256=code_sha256(),
        lock_sha256=lock_sha256(),
        folds=tuple(fold(span, usable_rows) for span in outcome.trial.folds),
        scores=scores(outcome.trial.scores),
        gates=tuple(
            CardGate(name=g.name, value=finite(g.value), bound=g.bound, passed=g.passed)
            for g in outcome.gates
        ),
    )


def pinned(root: Root, run_id: str) -> tuple[Pinned, ...]:
    """What a published run read: dataset, version, and a hash over the fingerprints of its rows."""
    return tuple(
        Pinned(
            dataset=row["dataset"],
            version=row["version"],
            fingerprint=_digest(json.dumps(_contents(row["parts"])).encode())[:32],
        )
        for row in runs.rows_of(root, run_id)
        if row["kind"] == "read"
    )


def code_sha256() -> str:
    """Hash of the code of forecasts."""
    whole = hashlib.sha256()
    for file in sorted(CODE.rglob("*.py")):
        whole.update(file.relative_to(CODE).as_posix().encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


def lock_sha256() -> str | None:
    """Hash of the lock of the libraries; None where they were installed without it."""
    file = project_home() / LOCK
    return _digest(file.read_bytes()) if file.is_file() else None


def fold(span: Span, rows: pa.Table) -> CardFold:
    """Days of a fold."""
    train, test = span.train(rows), span.test(rows)
    return CardFold(
        first_label_day=days(train).min().item(),
        last_label_day=last_label_days(train).max().item(),
        first_test_day=span.first,
        last_test_day=span.end - timedelta(days=1),
        rows=test.num_rows,
    )


def scores(rows: pa.Table) -> tuple[Score, ...]:
    """Scores of a trial by segment; those by store stand in `ops/model_scores` alone."""
    kept = rows.filter(pc.is_in(rows["segment"], pa.array(list(SEGMENTS))))
    return tuple(Score(**row) for row in finite_rows(kept))


def finite_rows(rows: pa.Table) -> Iterator[dict[str, Any]]:
    """Rows of scores without the version; what is no number is null."""
    for row in rows.drop_columns("model_version").to_pylist():
        yield row | {"value": finite(row["value"])}


def finite(value: float | None) -> float | None:
    """A number as a plain float; None for what is none."""
    return None if value is None or not math.isfinite(value) else float(np.float64(value))


def _contents(parts: str) -> list[str | None]:
    return [part.get("content") for part in json.loads(parts)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
