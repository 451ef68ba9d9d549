"""What `status` tells of models."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.versions.standing import standing
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables

AT = datetime(2026, 10, 14, tzinfo=UTC)
CHAMPION, CHALLENGER = "20260930-0123456789ab", "20261007-ba9876543210"
FORMER = "20260902-00112233aabb"


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    """Rows, as the owner of the table writes them."""
    contract = CATALOG.tables[name]
    tables.ensure(root, contract)
    table = pa.Table.from_pylist(list(rows), arrow.schema(contract.columns))
    Lake(root, writer=contract.owner).append(name, table)


def model(version: str, status: str) -> dict[str, Any]:
    text = dict.fromkeys(("run_id", "card_sha256", "gates", "reason"), "")
    times = dict.fromkeys(("created_at", "updated_at"), AT)
    named = {"model_name": "warehouse_optimizer", "model_version": version, "status": status}
    return {
        **text,
        **times,
        **named,
        "trained_until": date(2026, 9, 30),
        "actor": "mia",
        "version": 1,
    }


def health(day: date, version: str, metric: str, verdict: str, **more: Any) -> dict[str, Any]:
    row = {"model_version": version, "day": day, "store_id": "S1", "metric": metric}
    return {**row, "value": 0.3, "bound": 0.1, "verdict": verdict, **more}


def test_a_lake_without_versions_says_nothing_of_them(tmp_path: Path) -> None:
    assert standing(tmp_path) is None
    tables.ensure(tmp_path, CATALOG.tables[Ops.MODELS])
    assert standing(tmp_path) is None


def test_who_decides_and_what_is_red_on_the_latest_day(tmp_path: Path) -> None:
    last = AT.date()
    write(tmp_path, Ops.MODELS, model(CHAMPION, "champion"), model(CHALLENGER, "challenger"))
    write(
        tmp_path,
        Ops.MODEL_HEALTH,
        health(last - timedelta(days=1), CHAMPION, "psi", "red"),
        health(last, CHAMPION, "bias_28d", "red"),
        health(last, CHAMPION, "psi", "green"),
        health(last, CHALLENGER, "fallback_share", "red", reason="q90.txt was changed"),
    )
    told = standing(tmp_path)
    assert told is not None
    assert told["champion"]["model_version"] == CHAMPION
    assert told["challenger"]["updated_at"] == AT.isoformat()
    assert [row["metric"] for row in told["red"]] == ["bias_28d"]
    assert told["problems"] == [f"model {CHALLENGER} predicts nothing: q90.txt was changed"]
    assert told["decides"] == CHAMPION


def test_what_is_wrong_with_all_versions_is_told_as_it_is(tmp_path: Path) -> None:
    reason = "ops/models has 2 versions as champion"
    write(tmp_path, Ops.MODELS, model(CHAMPION, "champion"))
    write(tmp_path, Ops.MODEL_HEALTH, health(AT.date(), "", "fallback_share", "red", reason=reason))
    told = standing(tmp_path)
    assert told is not None
    assert (told["problems"], told["decides"]) == ([reason], None)


@pytest.mark.parametrize(
    ("status", "more", "decides", "told"),
    [
        ("champion", None, None, True),
        ("champion", "retired", FORMER, True),
        ("champion", "challenger", None, True),
        ("retired", None, None, False),
        ("retired", "champion", FORMER, False),
    ],
)
def test_what_is_damaged_is_told_while_it_is_in_use_and_who_decides_instead(
    tmp_path: Path, status: str, more: str | None, decides: str | None, told: bool
) -> None:
    """Each on the day of the damage: what a person did about it since shows at once."""
    day = AT.date()
    write(tmp_path, Ops.MODELS, model(CHAMPION, status), *([model(FORMER, more)] if more else []))
    broken = health(day, CHAMPION, "fallback_share", "red", reason="q90.txt was changed")
    write(tmp_path, Ops.MODEL_HEALTH, broken)
    if more:
        write(tmp_path, Ops.MODEL_HEALTH, health(day, FORMER, "bias_28d", "green"))
    known = standing(tmp_path)
    assert known is not None
    assert (known["decides"], bool(known["problems"])) == (decides, told)
