"""What other libraries are handed of a trial, and what is taken of their forecasts."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import ml, ml_peers
from benchmarks.ml_peers import Match
from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.labels import labels
from lakeshelf.forecast.demand.segments import segment
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import KEY, LEVELS, Forecast
from lakeshelf.forecast.model.rows import demand, horizons
from lakeshelf.forecast.model.scores import judged
from tests.forecast.demand.worlds import day
from tests.forecast.inference import shop

from .test_benchmarks import quick

pytestmark = pytest.mark.slow  # makes features
PROGRAM = """
import sys, pyarrow.parquet as pq
rows = pq.read_table(f"{sys.argv[1]}/test.parquet", columns=["shelf_id", "feature_date", "horizon_days"])
rows = rows.rename_columns({"horizon_days": "mean"}).sort_by([("mean", "descending"), ("shelf_id", "descending")])
pq.write_table(rows.slice({skipped}), f"{sys.argv[1]}/forecasts.parquet")
"""
"""Forecasts a unit a day, in another order."""


@pytest.fixture
def match() -> Match:
    """The last weeks of a small shop, whose model knows the mean."""
    chosen = every(shop.world().shelves, cutoffs(day(120), day(180)))
    known = labels(chosen, shop.world().demand, day(200))
    rows = shop.rows().join(known, list(KEY), join_type="inner")
    rows = rows.sort_by([("feature_date", "ascending"), ("shelf_id", "ascending")])
    train, test = rows.slice(0, 360), rows.slice(360)
    mean = np.full(test.num_rows, demand(test).mean())
    model = judged(test, Forecast(mean, np.zeros((test.num_rows, len(LEVELS)))))
    return Match(train, test, shop.world().demand, model, segment(test, ml_peers.OFTEN))


def another(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A library that is installed here, and its program."""
    file = folder / "another.py"
    file.write_text(text)
    words = [sys.executable, str(file)]
    monkeypatch.setattr(ml_peers, "command", lambda key, to: [*words, str(to)])


def test_no_label_of_a_row_that_is_forecast_is_handed_over(match: Match, tmp_path: Path) -> None:
    ml_peers.hand_over(match, tmp_path)
    train, test = (pq.read_schema(tmp_path / f"{n}.parquet").names for n in ("train", "test"))
    assert set(train) - set(test) == {"demand", "weight"}
    assert set(KEY) < set(test)
    assert "subcategory" in test
    assert "lost_sales_7d" in test


def test_what_no_row_knows_and_texts_of_many_values_are_left_out(
    match: Match, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ml_peers, "MOST_VALUES", shop.STORES)
    at = match.train.column_names.index("lost_sales_7d")
    unknown = pa.nulls(match.train.num_rows, pa.int64())
    train = match.train.set_column(at, "lost_sales_7d", unknown)
    rest = (match.test, match.daily, match.model, match.often)
    ml_peers.hand_over(Match(train, *rest), tmp_path)
    names = pq.read_schema(tmp_path / "test.parquet").names
    assert "store_id" in names
    assert not {"subcategory", "lost_sales_7d"} & set(names)


def test_forecasts_are_those_of_their_rows_in_whatever_order_they_come(
    match: Match, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another(tmp_path, monkeypatch, PROGRAM.replace("{skipped}", "0"))
    result = ml_peers.played(match, ["sklearn"], tmp_path, lambda text: None)
    assert ml_peers.forecasts(match.test, tmp_path).tolist() == horizons(match.test).tolist()
    assert result.figures.keys() == {figure.key for figure in ml_peers.figures(["sklearn"])}
    assert result.ways["sklearn"]["problem"] == ""


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        pytest.param(PROGRAM.replace("{skipped}", "3"), "forecasts {} of {} rows", id="rows lack"),
        pytest.param("raise SystemExit('no memory')", "ended with 1: no memory", id="it fails"),
    ],
)
def test_who_leaves_rows_out_or_fails_is_told_with_the_reason(
    match: Match, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    another(tmp_path, monkeypatch, program)
    result = ml_peers.played(match, ["mlforecast"], tmp_path, lambda text: None)
    rows = match.test.num_rows
    assert result.ways["mlforecast"]["problem"] == reason.format(rows - 3, rows)
    assert result.figures == {}


def test_of_more_rows_than_are_asked_for_some_are_drawn_and_the_same_ones_again(
    match: Match,
) -> None:
    drawn = [ml_peers._drawn(match.train, 50, seed) for seed in (1, 1, 2)]
    assert [rows.num_rows for rows in drawn] == [50, 50, 50]
    assert drawn[0].equals(drawn[1])
    assert not drawn[0].equals(drawn[2])
    assert ml_peers._drawn(match.train, 360, 1) is match.train


@pytest.mark.nightly  # minutes: installs other libraries, and makes the features of a store's year
@pytest.mark.setup
def test_peers_of_forecasts_are_measured_on_the_shelves_of_the_trial(tmp_path: Path) -> None:
    result = quick("ml", tmp_path)
    (run,) = result["runs"]
    assert run["ways"].keys() == ml_peers.PEERS.keys()
    assert [way["problem"] for way in run["ways"].values()] == ["", "", ""]
    assert all(way["version"] and way["does_not"] for way in run["ways"].values())
    figures = {figure.key for figure in ml.figures(result["parameters"])}
    assert {key for key, value in run["figures"].items() if value is not None} == figures
