"""What-if of a model that was trained on the lake: asked by the command, told with what it rests on."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeshelf import forecast
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.training import training
from lakeshelf.forecast.whatif import answers
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.cli.shop.sold_shop import POLICY, write
from tests.forecast.training import lakes
from tests.forecast.training.conftest import Study

pytestmark = [pytest.mark.slow, pytest.mark.ml]
ML = ("--set", "plan_source=ml")
SINCE = lakes.BEGIN + timedelta(days=100)
SHARES = [f"service level {share:g}" for share in answers.SERVICES]


@pytest.fixture(scope="module")
def kept(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake with one candidate, and no policy but the defaults; it is only read."""
    lake = study.copy(tmp_path_factory.mktemp("whatif"))
    training.keep(lake, study.outcome, study.origin, lakes.ACT)
    for name in ("raw/lost_sales", "staging/shelf_policies", Staging.WH_POLICIES):
        tables.ensure(lake.root, CATALOG.tables[name])
    assert lake.root.folder is not None
    return lake.root.folder


@pytest.fixture
def asked(lakeshelf: Any, kept: Path) -> Callable[..., dict[str, Any]]:
    """What the command answers, of the last weeks of a lake."""

    def answer(*arguments: str, root: Path = kept) -> dict[str, Any]:
        shown = lakeshelf("--lake", root, "whatif", "--since", SINCE, *arguments, "--json")
        assert shown.code == 0, shown.err
        told: dict[str, Any] = json.loads(shown.out)
        return told

    return answer


def of(told: dict[str, Any], measure: str) -> dict[str, float]:
    """A measure of all shelves."""
    return next(one for one in told["differences"] if one["measure"] == measure)


def test_a_model_is_replayed_with_intervals_by_store_and_category(asked: Any, study: Study) -> None:
    told = asked(*ML)
    assert of(told, "stock")["low"] <= of(told, "stock")["difference"] <= of(told, "stock")["high"]
    assert of(told, "stock")["difference"] != 0
    for groups in (told["stores"], told["categories"]):
        assert len(groups) == 2
        lost = [of(group, "lost_units") for group in groups]
        assert sum(one["after"] for one in lost) == of(told, "lost_units")["after"]
    days = study.origin.trained_until
    model = told["model"]
    assert len(model["versions"]) == 1
    assert 0 < model["learned_from"] < model["cutoffs"] == model["foretold"]
    assert any(f"models train --until {SINCE}" in note for note in told["notes"]), days


def test_a_service_level_buys_fill_with_stock(asked: Any) -> None:
    low, high = (asked(*ML, "--set", f"service_level={share}") for share in (0.5, 0.99))
    for measure in ("stock", "fill"):
        assert of(low, measure)["after"] < of(high, measure)["after"]
    assert of(low, "fill")["before"] == of(high, "fill")["before"]


def test_a_frontier_has_reorder_points_and_service_levels(asked: Any) -> None:
    points = asked(*ML, "--frontier")["frontier"]
    names = [point["policy"] for point in points]
    assert names == ["in force", "changed", *map(str, answers.POINTS), *SHARES]
    shown = {point["policy"]: point for point in points}
    ten, fixed = shown["10"], shown["in force"]
    assert {**ten, "policy": ""} == {**fixed, "policy": ""}
    stocks = [shown[name]["stock"] for name in SHARES]
    assert stocks == sorted(stocks)
    assert "service level" not in "".join(p["policy"] for p in asked("--frontier")["frontier"])


def test_what_is_in_force_is_replayed_as_what_is_set(
    asked: Any, kept: Path, tmp_path: Path
) -> None:
    root = Path(shutil.copytree(kept, tmp_path / "lake"))
    held = {"plan_source": "ml", "service_level": 0.9, "allow_zero": True}
    write(root, Staging.WH_POLICIES, [{**POLICY, **held, "shelf_id": "__GLOBAL__"}])
    words = [f"--set={name}={str(value).lower()}" for name, value in held.items()]
    same, other = asked(*words, root=root), asked(*words)
    assert [one["difference"] for one in same["differences"]] == [0] * len(same["differences"])
    for one in other["differences"]:
        assert one["after"] == of(same, one["measure"])["before"]
    shutil.rmtree(root / Ops.MODELS)
    rule = asked(root=root)
    assert rule["model"] is None
    assert "a model may decide, and the lake has no version: the rule orders" in rule["notes"][-1]
    assert of(rule, "stock")["before"] == of(other, "stock")["before"]


def test_people_read_what_was_set_and_what_each_mark_stands_for(lakeshelf: Any, kept: Path) -> None:
    words = (*ML, "--set", "allow_zero=true", "--frontier")
    shown = lakeshelf("--lake", kept, "whatif", "--since", SINCE, *words)
    assert shown.code == 0
    assert "and plan_source=ml, allow_zero=true." in shown.out
    assert "·: other reorder points, +: other service levels)" in shown.out
    assert "forecast cutoff days" in shown.err


def test_the_library_answers_as_the_command_does(asked: Any, kept: Path) -> None:
    answer = forecast.what_if(Lake(kept), {"plan_source": "ml"}, since=SINCE, frontier=True)
    assert json.loads(json.dumps(answer, default=str)) == asked(*ML, "--frontier")


def test_a_forecast_of_a_shelf_is_what_its_parts_make(kept: Path, study: Study) -> None:
    said = forecast.forecast_of(Lake(kept), "S1-I1")
    (model,) = tables.rows(kept, Ops.MODELS).to_pylist()
    assert said["model_version"] == model["model_version"]
    assert said["feature_date"] == windows.latest_cutoff(lakes.BEGIN + timedelta(days=140))
    factors = math.prod(part["factor"] for part in said["parts"])
    assert said["base"] * factors == pytest.approx(said["mean_units"])
    assert [*said["quantiles"].values()] == sorted(said["quantiles"].values())
    early = forecast.forecast_of(Lake(kept), "S1-I1", day=said["feature_date"] - timedelta(days=7))
    assert early["mean_units"] != said["mean_units"]
    with pytest.raises(ConfigurationError, match="no features of S9-I9 are stored; name a shelf"):
        forecast.forecast_of(Lake(kept), "S9-I9")


def without_versions(root: Path) -> None:
    shutil.rmtree(root / Ops.MODELS)


def without_features(root: Path) -> None:
    shutil.rmtree(root / Curated.FEATURES_STORE)
    tables.ensure(root, CATALOG.tables[Curated.FEATURES_STORE])


def damaged(root: Path) -> None:
    (text,) = root.glob("models/*/*/mean.txt")
    text.write_text("tree")


@pytest.mark.parametrize(
    ("change", "words", "said"),
    [
        (without_versions, ML, "the lake has no version of a model; train one with `lakeshelf models"),
        (without_features, ML, "of 17 cutoff days no features are stored; write them with `lakeshelf"),
        (damaged, ML, "mean.txt was changed"),
        (lambda _: None, ("--set", "service_level=0.9"), "the rule orders for every shelf that is"),
        (lambda _: None, ("--set", "allow_zero=true"), "allow_zero decides about levels of a model"),
    ],
)  # fmt: skip
def test_what_a_model_cannot_say_is_refused_in_one_line(
    lakeshelf: Any,
    kept: Path,
    tmp_path: Path,
    change: Callable[[Path], None],
    words: Any,
    said: str,
) -> None:
    root = Path(shutil.copytree(kept, tmp_path / "lake"))
    change(root)
    refused = lakeshelf("--lake", root, "whatif", "--since", SINCE, *words)
    assert refused.code in (1, 2)
    assert said in refused.error
    assert not refused.out
