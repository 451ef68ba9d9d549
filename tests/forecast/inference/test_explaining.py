"""An order is explained by what it was made of, and by nothing that is not in the lake as it was."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from lakeshelf import extras
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.errors import ConfigurationError, LakeshelfError, MissingExtra
from lakeshelf.forecast.inference import reasons
from lakeshelf.forecast.inference.explaining import Explanation, Units, explained
from lakeshelf.forecast.versions.errors import NotExplained, VersionDamaged
from lakeshelf.governance.api.routes.shop.rows import ORDER
from lakeshelf.lake.rows import tables
from tests.forecast import openmp

from . import ordered, shop

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained
DAY = timedelta(days=1)
SHELF = ordered.BY_MODEL[0]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake; it is only read."""
    root = tmp_path_factory.mktemp("ordered") / "lake"
    ordered.make(root)
    return root


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """A lake of its own."""
    return Path(shutil.copytree(kept, tmp_path / "lake"))


def of(root: Path, shelf: str = SHELF) -> Explanation:
    return explained(root, ordered.engine(), shelf)


@pytest.mark.parametrize("shelf", ordered.BY_MODEL[::2])
def test_the_parts_add_up_to_the_forecast_that_stands_in_the_lake(kept: Path, shelf: str) -> None:
    where = [("shelf_id", "=", shelf)]
    (row,) = tables.rows(kept, Curated.PREDICTIONS, where=where).to_pylist()
    told = of(kept, shelf)
    assert told.forecast is not None
    base, parts = told.forecast["base"], told.forecast["parts"]
    assert base + sum(part["units"] for part in parts) == pytest.approx(row["mean_units"])
    assert base * math.prod(part["factor"] for part in parts) == pytest.approx(row["mean_units"])
    assert [part["name"] for part in parts[-2:]] == [reasons.OTHERS, reasons.CORRECTION]
    assert parts[-1]["factor"] == (0.9 if shelf.startswith("S0") else 1.1)
    sizes = [abs(math.log(part["factor"])) for part in parts[: reasons.TOP]]
    assert len(sizes) == reasons.TOP
    assert sizes == sorted(sizes, reverse=True)
    assert told.forecast["mean_units"] == row["mean_units"]
    assert (told.source, told.why_rule) == ("ml", [])
    assert told.order == Units(row["suggested_qty"], row["predicted_batches"], ordered.LOT)
    assert (told.position_qty, told.forecast["level_qty"]) == (0, row["level_qty"])
    assert told.rule == Units(8, 2, ordered.LOT)


@pytest.mark.parametrize("shelf", [ordered.BY_MODEL[0], ordered.BY_RULE[0]])
def test_the_api_tells_it_as_its_document_says(kept: Path, shelf: str) -> None:
    answer = json.loads(TypeAdapter(Mapping[str, Any]).dump_json(of(kept, shelf).as_json()))
    Draft202012Validator(ORDER).validate(answer)


def test_a_shelf_on_the_rule_is_explained_without_a_model(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openmp.remove(tmp_path / "elsewhere", monkeypatch)
    told = of(kept, ordered.BY_RULE[0])
    assert (told.source, told.forecast, told.position_qty) == ("rule", None, None)
    assert told.why_rule == ["the policy has plan_source rule (from shelf)"]
    assert told.order == told.rule == Units(8, 2, ordered.LOT)
    assert told.rule_why == ["0 units in the back room are below reorder_point_qty 5"]
    assert told.shelf["name"] == "Goods I3"


def test_the_order_of_an_issued_plan_is_what_is_explained(root: Path) -> None:
    before = of(root)
    ids = {"supplier_plan_id": "P1", "order_id": "O1"}
    place = {"shelf_id": SHELF, "store_id": "S0", **ids, **ordered.STAMPS}
    place |= {"created_at": ordered.BEGIN, "status": "issued"}
    plan = {"suggested_qty": 12, "standard_batch_size": 4, "source": "ml", "held": False}
    ordered.write(root, Ops.WH_SUPPLIER_PLAN, {**place, **plan})
    dates = {"delivery_date": shop.LAST + DAY, "cutoff_ts": ordered.BEGIN}
    ordered.write(root, Staging.SUPPLIER_ORDERS, {**place, **dates, "total_qty": 12})
    told = of(root)
    assert told.plan is not None
    assert told.plan["supplier_plan_id"] == "P1"
    assert (told.order, told.position_qty, told.rule) == (
        before.order,
        before.position_qty,
        before.rule,
    )


def ended(root: Path) -> None:
    ordered.write(root, Curated.FEATURES_STORE, day=shop.LAST + 7 * DAY)


def badly(root: Path) -> None:
    (model,) = tables.rows(root, Ops.MODELS, ["model_version"]).to_pylist()
    day, red = shop.LAST, {"metric": "bias_28d", "bound": 0.1, "value": 0.5, "verdict": "red"}
    days = [{**model, **red, "store_id": "S0", "day": day - n * DAY} for n in range(1, 8)]
    ordered.write(root, Ops.MODEL_HEALTH, *days)
    ordered.again(root, Staging.ORDER_LEVELS)


def retired(root: Path) -> None:
    ordered.again(root, Ops.MODELS)
    shutil.rmtree(root / Staging.ORDER_LEVELS)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (ended, f"the level of {shop.LAST} held until "),
        (badly, "did badly in store S0 for seven days"),
        (retired, "no version is champion"),
    ],
)
def test_why_a_shelf_of_a_model_is_on_the_rule(
    root: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(root)
    told = of(root)
    assert (told.source, told.forecast) == ("rule", None)
    assert any(reason in why for why in told.why_rule)


def file(root: Path, name: str) -> Path:
    (folder,) = (root / "models" / shop.MODEL).iterdir()
    return folder / name


def other_features(root: Path) -> None:
    changed = dict.fromkeys(("units_sold_91d", "same_days_13w", "peak_91d"), 900)
    ordered.again(root, Curated.FEATURES_STORE, *ordered.features(**changed))


@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        (
            lambda root: ordered.again(root, Curated.PREDICTIONS),
            NotExplained,
            f"the forecast of {shop.LAST} by .* is not in the lake; ",
        ),
        (
            lambda root: ordered.again(root, Curated.FEATURES_STORE),
            NotExplained,
            f"the features of {SHELF} of {shop.LAST} are not in the lake; ",
        ),
        (other_features, NotExplained, r"the forecast .* is [\d.]+, and its features say [\d.]+; "),
        (
            lambda root: file(root, "mean.txt").write_text("tree"),
            VersionDamaged,
            r"mean.txt was changed: .*; remove the folder",
        ),
        (lambda root: shutil.rmtree(file(root, ".")), VersionDamaged, r"is not there; "),
    ],
)
def test_what_cannot_be_explained_is_one_line_with_a_way_out(
    root: Path, change: Callable[[Path], Any], error: type[LakeshelfError], line: str
) -> None:
    change(root)
    with pytest.raises(error, match=line) as told:
        of(root)
    assert "\n" not in str(told.value)


def test_an_unknown_shelf_is_refused_with_its_neighbours(kept: Path) -> None:
    with pytest.raises(ConfigurationError, match="no shelf 'S0-I9'; did you mean S0-I"):
        of(kept, "S0-I9")


def test_without_the_extra_one_line_names_the_command(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "lightgbm" else name)
    with pytest.raises(MissingExtra, match=r"pip install 'lakeshelf\[ml\]'"):
        of(kept)
