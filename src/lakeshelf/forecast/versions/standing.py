"""How versions stand in a lake, for whoever asks how the shop is: who decides, and what is red."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow.compute as pc

from lakeshelf.contracts.layers import Ops
from lakeshelf.errors import LakeError
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables

IN_USE = ("champion", "challenger")
Row = Mapping[str, Any]
Rows = Sequence[Row]
COLUMNS = ("model_name", "model_version", "trained_until", "status", "updated_at", "actor")


def standing(root: Place) -> dict[str, Any] | None:
    """The versions in use, and what was red on the latest day that was looked at.

    Args:
        root: Lake root.

    Returns:
        `champion`, `challenger` (each a row of `ops/models`, or None), `decides` (the version whose levels orders
        follow, or None: the rule), `day`, `red` (rows of `ops/model_health`) and `problems` (why a version in use
        predicts nothing, a line each); None: the lake has no version, or no such tables.
    """
    try:
        models = [_plain(row) for row in tables.rows(root, Ops.MODELS, COLUMNS).to_pylist()]
        health = latest_health(root) if models else []
    except LakeError:
        return None
    if not models:
        return None
    by_status = {row["status"]: row for row in models}
    champion, challenger = (by_status.get(status, {}).get("model_version") for status in IN_USE)
    known = of_use(health, champion, challenger)
    said = {champion, challenger, ""}
    red = [row for row in known if row["verdict"] == "red"]
    return {
        **{status: by_status.get(status) for status in IN_USE},
        "decides": _decides(known, champion, challenger),
        "day": max((row["day"] for row in health), default=None),
        "red": [row for row in red if row["model_version"] in said and not row["reason"]],
        "problems": problems(known),
    }


def latest_health(root: Place) -> list[dict[str, Any]]:
    """Rows of `ops/model_health` of the latest day, by version, store and metric.

    Raises:
        LakeError: It cannot be read.
    """
    day = pc.max(tables.rows(root, Ops.MODEL_HEALTH, ["day"])["day"]).as_py()
    if day is None:
        return []
    rows = tables.rows(root, Ops.MODEL_HEALTH, where=[("day", "=", day)]).to_pylist()
    return sorted(
        map(_plain, rows), key=lambda row: (row["model_version"], row["store_id"], row["metric"])
    )


def of_use(health: Rows, champion: str | None, challenger: str | None) -> list[Row]:
    """Rows of a day of the versions that are in use now, which may be others than on that day.

    Args:
        health: The rows.
        champion: The version that is champion now; where it predicts nothing, those before it are in use, too.
        challenger: The version beside it.
    """
    used = {champion, challenger, ""}
    if champion in _silent(health):
        return [dict(row) for row in health]
    return [dict(row) for row in health if row["model_version"] in used]


def _silent(health: Rows) -> set[str]:
    """Versions that predict nothing."""
    return {row["model_version"] for row in health if _is_problem(row)}


def _decides(health: Rows, champion: str | None, challenger: str | None) -> str | None:
    """The champion; where it predicts nothing, the version before it that does, if any."""
    silent = _silent(health)
    if champion is None or "" in silent:
        return None
    if champion not in silent:
        return champion
    others = {row["model_version"] for row in health} - silent - {challenger}
    return next(iter(others), None)


def problems(health: Rows) -> list[str]:
    """Why versions predict nothing, a line each."""
    return sorted({_problem(row) for row in health if _is_problem(row)})


def _is_problem(row: Row) -> bool:
    return bool(row["verdict"] == "red" and row["reason"])


def _plain(row: Row) -> dict[str, Any]:
    """A row as JSON has it."""
    return {n: v.isoformat() if isinstance(v, date) else v for n, v in row.items()}


def _problem(row: Row) -> str:
    version = row["model_version"]
    return f"model {version} predicts nothing: {row['reason']}" if version else row["reason"]
