"""The service that predicts: each cutoff day once, and levels of the champion before orders are made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.forecast.inference.levels import valid_until
from lakeshelf.forecast.versions import drift
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.health import BOUNDS
from lakeshelf.lake.place.location import Root
from tests.forecast import openmp
from tests.forecast.inference import shop

from .bench import Row, Tables, Worker, of

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained
NAME = "inference-service"
DAY = shop.LAST
BEGIN = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
HOUR = timedelta(hours=1)
MODELS = shop.SHELVES[::2]
"""Shelves ordered for by a model."""


def stored(row: Row) -> Row:
    """A row of features as the table has it, of an empty shelf."""
    required = [f.name for f in CATALOG.tables[Curated.FEATURES_STORE].columns if f.required]
    plain = dict.fromkeys(required, 0) | {
        "item_id": row["shelf_id"].partition("-")[2],
        "is_weekend": False,
        "created_at": BEGIN,
    }
    return plain | row | {"discount": Decimal(0)}


def lake(root: Path) -> Tables:
    """A shop at 0:00 of a cutoff day, after its features were made."""
    made = Tables()
    made.root = Root.at(root)
    rows = shop.of_day(DAY).to_pylist()
    made.keep(Curated.FEATURES_STORE, *map(stored, rows))
    for row in rows:
        goods = {"unit_price": Decimal(2), "max_stock": 20, "standard_batch_size": 4}
        place = {name: row[name] for name in ("shelf_id", "store_id")}
        made.keep(Curated.SHELF_PROFILES, {**place, **goods, "item_id": "I1", "version": 1})
    for shelf in MODELS:
        policy = {"plan_source": "ml", "active": True, "deleted": False, "version": 1}
        made.keep(Staging.WH_POLICIES, {"shelf_id": shelf, **policy})
    return made


def champion(made: Tables, version: Version) -> None:
    """The version decides from now on."""
    made.keep(Ops.MODELS, *shop.deciding(version, BEGIN))


@pytest.fixture
def made(tmp_path: Path) -> Tables:
    return lake(tmp_path)


def worker(made: Tables) -> Worker:
    return Worker(NAME, made)


def levels(sent: Any) -> list[Row]:
    return of(sent, "order_levels")


def test_without_a_champion_the_rule_decides(made: Tables) -> None:
    service = worker(made)
    assert levels(service.tick(BEGIN)) == []
    assert made.kept[Curated.PREDICTIONS] == []
    assert service.journal.last is not None


def test_a_cutoff_day_is_predicted_once_and_its_levels_are_told(
    made: Tables, tmp_path: Path
) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    service = worker(made)
    sent = levels(service.tick(BEGIN))
    rows = made.kept[Curated.PREDICTIONS]
    assert sorted(row["shelf_id"] for row in rows if row["valid_until"]) == sorted(MODELS)
    assert len(sent) == len(MODELS)
    assert {level["model_version"] for level in sent} == {version.card.model_version}
    assert {level["valid_until"] for level in sent} == {valid_until(DAY)}
    assert len(rows) == len(shop.SHELVES)
    assert levels(service.tick(BEGIN + HOUR)) == []
    assert len(service.journal.entries) == 1


def test_who_starts_again_tells_the_same_levels_again(made: Tables, tmp_path: Path) -> None:
    champion(made, shop.published(tmp_path))
    service = worker(made)
    sent = levels(service.tick(BEGIN))
    service.restart()
    service.service._publish(service.journal.last)
    assert levels(service.outbox.take()) == sent


def test_past_its_cutoff_a_day_is_predicted_and_nothing_is_told(
    made: Tables, tmp_path: Path
) -> None:
    champion(made, shop.published(tmp_path))
    assert levels(worker(made).tick(BEGIN + 13 * HOUR)) == []
    assert len(made.kept[Curated.PREDICTIONS]) == len(shop.SHELVES)


def test_days_that_were_missed_are_done_in_order(made: Tables, tmp_path: Path) -> None:
    champion(made, shop.published(tmp_path))
    service = worker(made)
    service.tick(BEGIN)
    service.tick(BEGIN + timedelta(days=8))
    days = [entry.decision.event_time.date() for entry in service.journal.entries]
    assert days == [DAY + timedelta(days=n) for n in range(9)]


def test_a_champion_that_was_damaged_leaves_the_shop_to_the_rule(
    made: Tables, tmp_path: Path
) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    file = tmp_path / "models" / shop.MODEL / version.card.model_version / "q90.txt"
    file.write_text("tree")
    assert levels(worker(made).tick(BEGIN)) == []
    assert made.kept[Curated.PREDICTIONS] == []
    (row,) = made.kept[Ops.MODEL_HEALTH]
    assert (row["metric"], row["verdict"], row["value"]) == ("fallback_share", "red", 1.0)
    assert f"{version.card.model_version}/q90.txt was changed" in row["reason"]


def test_without_openmp_the_shop_is_left_to_the_rule(
    made: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion(made, shop.published(tmp_path))
    openmp.remove(tmp_path / "elsewhere", monkeypatch)
    service = worker(made)
    assert levels(service.tick(BEGIN)) == []
    assert service.journal.last is not None
    (row,) = made.kept[Ops.MODEL_HEALTH]
    assert "`apt-get install libgomp1`" in row["reason"]


@pytest.mark.parametrize("days", [None, 0, 9])
def test_an_unknown_horizon_leaves_the_shop_to_the_rule_in_one_line(
    days: int | None, made: Tables, tmp_path: Path
) -> None:
    champion(made, shop.published(tmp_path))
    stored = made.kept[Curated.FEATURES_STORE]
    made.keep(Curated.FEATURES_STORE, *({**row, "horizon_days": days} for row in stored))
    assert levels(worker(made).tick(BEGIN)) == []
    assert made.kept[Curated.PREDICTIONS] == []
    (reason,) = {row["reason"] for row in made.kept[Ops.MODEL_HEALTH] if row["verdict"] == "red"}
    assert reason == (
        f"features of {DAY} lack {len(shop.SHELVES)} shelves; `lakeshelf features backfill` "
        "writes those that a forecast can read while the shop is down"
    )


def test_the_health_of_a_version_is_told_each_day(made: Tables, tmp_path: Path) -> None:
    champion(made, shop.published(tmp_path))
    service = worker(made)
    service.tick(BEGIN)
    service.tick(BEGIN + timedelta(days=1))
    rows = made.kept[Ops.MODEL_HEALTH]
    assert {row["day"] for row in rows} == {DAY, DAY + timedelta(days=1)}
    assert {row["metric"] for row in rows} == set(BOUNDS)
    few = "fewer than 500 rows of features on 3 cutoff days"
    assert {(row["metric"], row["reason"]) for row in rows if row["reason"]} == {("psi", few)}


def test_drift_is_told_where_there_are_rows_enough(
    made: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion(made, shop.published(tmp_path))
    monkeypatch.setattr(drift, "LEAST_ROWS", 1)
    worker(made).tick(BEGIN)
    told = [row for row in made.kept[Ops.MODEL_HEALTH] if row["metric"] == "psi"]
    assert told
    assert all(row["value"] is not None and row["reason"] is None for row in told)


@pytest.mark.parametrize(
    ("days", "metric", "heard"),
    [
        (7, "bias_28d", False),
        (6, "bias_28d", True),
        (7, "psi", True),
    ],
)
def test_a_store_with_seven_red_days_is_ordered_for_by_the_rule(
    days: int, metric: str, heard: bool, made: Tables, tmp_path: Path
) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    for n in range(days):
        row = {"model_version": version.card.model_version, "store_id": "S1", "metric": metric}
        day = DAY - timedelta(days=n + 1)
        made.keep(Ops.MODEL_HEALTH, {**row, "day": day, "bound": 0.1, "verdict": "red"})
    worker(made).tick(BEGIN)
    sent = [row for row in made.kept[Curated.PREDICTIONS] if row["valid_until"]]
    assert ("S1" in {row["store_id"] for row in sent}) == heard
    assert {"S0", "S2"} <= {row["store_id"] for row in sent}


def test_what_is_ordered_already_counts(made: Tables, tmp_path: Path) -> None:
    champion(made, shop.published(tmp_path))
    for number, shelf in enumerate(shop.SHELVES):
        coming = {"shelf_id": shelf, "total_qty": 400, "status": "issued", "version": 1}
        made.keep(Ops.WH_SUPPLIER_ORDERS, {"order_id": str(number), **coming})
    worker(made).tick(BEGIN)
    assert {row["suggested_qty"] for row in made.kept[Curated.PREDICTIONS]} == {0}
