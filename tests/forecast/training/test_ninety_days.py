"""Ninety days of a shop: a model is trained, shadowed, promoted, orders, is damaged, and the rule goes on."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.inference.explaining import Explanation, explained
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.lake.rows import tables
from lakeshelf.shop.cutoffs import CUTOFF_DAYS
from tests.forecast.demand.worlds import day
from tests.forecast.inference import ordered

from .played import ML, RULE, PlayedShop

pytestmark = [pytest.mark.nightly, pytest.mark.ml]
SEED, SIZE, KEPT = 2, (3, 120), 16
TRAINED, PROMOTED, DAMAGED, MENDED, DAYS = 80, 83, 88, 91, 92
"""Days on which the shop has a candidate, has a champion, loses it, is told to do without it; all of them."""


def cutoff_days(first: int, end: int) -> set[date]:
    return {one for one in map(day, range(first, end)) if one.weekday() in CUTOFF_DAYS}


def predicted(root: Path, version: str, role: str) -> set[date]:
    """Days on which a version predicted."""
    where = [("model_version", "=", version), ("role", "=", role)]
    rows = tables.rows(root, Curated.PREDICTIONS, ["feature_date"], where)
    return set(rows["feature_date"].to_pylist())


def sources(plans: Iterable[dict[str, Any]]) -> set[str]:
    return {plan["source"] for plan in plans}


def why(root: Path, shelf: str) -> Explanation:
    return explained(root, ordered.engine(), shelf)


def require_explained(root: Path, plan: dict[str, Any]) -> None:
    """What is said of an order adds up to the forecast that stands in the lake."""
    told = why(root, plan["shelf_id"])
    assert (told.source, told.order.units) == (ML, plan["suggested_qty"]), told.why_rule
    assert told.forecast is not None
    units = told.forecast["base"] + sum(part["units"] for part in told.forecast["parts"])
    names = ("shelf_id", "model_version", "feature_date")
    key = {"shelf_id": plan["shelf_id"]} | {name: told.forecast[name] for name in names[1:]}
    where = [(name, "=", key[name]) for name in names]
    (kept,) = tables.rows(root, Curated.PREDICTIONS, ["mean_units"], where).to_pylist()
    assert units == pytest.approx(kept["mean_units"])
    assert (plan["model_version"], plan["level_qty"]) == (
        told.forecast["model_version"],
        told.forecast["level_qty"],
    )


def test_a_model_is_trained_orders_is_damaged_by_hand_and_the_shop_goes_on_by_the_rule(
    lakeshelf: Any, tmp_path: Path
) -> None:
    root = tmp_path / "shop"

    def said(*words: str) -> Any:
        done = lakeshelf("--lake", root, *words, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    def problems(version: str) -> list[str]:
        """Red lines of `status` about it; the shop is played without processes, which is another."""
        told = json.loads(lakeshelf("--lake", root, "status", "--json").out)["problems"]
        return [line for line in told if version in line]

    def promoted(version: str) -> str:
        said("models", "promote", version, "--as", "mia", "--yes")
        return {row["model_version"]: row["status"] for row in said("models", "list")}[version]

    shop = PlayedShop(root, SEED, SIZE, DAYS, KEPT)
    shop.live(TRAINED)
    trained = said("models", "train", "--as", "mia")
    version = trained["model_version"]
    assert [gate for gate in trained["card"]["gates"] if not gate["passed"]] == []

    assert promoted(version) == "challenger"
    shop.open()
    by_model, by_rule = shop.shelves[::2], shop.shelves[1::2]
    shop.let(ML, *by_model)
    shop.play(PROMOTED)
    assert predicted(root, version, "challenger") == cutoff_days(TRAINED, PROMOTED)
    assert sources(shop.plans(shop.shelves)) == {RULE}

    assert promoted(version) == "champion"
    shop.play(DAMAGED)
    orders = shop.plans(by_model, "issued")
    assert {(plan["source"], plan["model_version"]) for plan in orders} == {(ML, version)}
    for plan in orders:
        require_explained(root, plan)

    text = root / "models" / MODEL / version / "q90.txt"
    text.write_text(text.read_text().replace("leaf_value=", "leaf_value=1", 1))
    shop.play(MENDED)
    assert predicted(root, version, "champion") == cutoff_days(PROMOTED, DAMAGED)
    (line,) = problems(version)
    assert line.startswith(f"model {version} predicts nothing: {text} was changed: ")
    for shelf in by_model:
        told = why(root, shelf)
        assert told.source == RULE
        assert line in told.why_rule

    (way,) = re.findall(r"`lakeshelf (models rollback)`", line)
    said(*shlex.split(way), "--as", "mia", "--yes")
    shop.play(DAYS)
    assert problems(version) == []
    assert sources(shop.plans(by_model, "issued")) == {RULE}
    assert sources(shop.plans(by_rule)) == {RULE}
