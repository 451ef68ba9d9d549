"""A training learns from rows as they were stored; only labels know what came late."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshelf.contracts.layers import Curated, Raw
from lakeshelf.forecast.demand.chosen import Sample, sampled
from lakeshelf.forecast.demand.features import SCHEMA, admitted
from lakeshelf.forecast.demand.known import Pins, known
from lakeshelf.forecast.demand.labels import labels
from lakeshelf.forecast.demand.rows import features
from lakeshelf.forecast.demand.segments import BY_MEASURE
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import KEY
from lakeshelf.forecast.model.folds import TooLittleHistory
from lakeshelf.forecast.training import lessons
from lakeshelf.forecast.training.memory import joined, narrowed
from lakeshelf.forecast.training.trials import BESIDE
from lakeshelf.forecast.versions import drift
from lakeshelf.lake import Lake
from tests.forecast.training import lakes

pytestmark = pytest.mark.slow
DAYS = 110
SOME = Sample(of=2)
TODAY = lakes.BEGIN + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lakes.written(tmp_path_factory.mktemp("lessons") / "lake", days=DAYS)


def computed(root: Path, first: date, last: date) -> pa.Table:
    """Rows of cutoff days, made from the tables behind the stored features."""
    days = cutoffs(first, last + timedelta(days=1))
    world = known(Pins(Lake(root)), lakes.SOURCES, first, TODAY)
    chosen = sampled(world.demand, days, SOME)
    made = pa.concat_tables(features(chosen, world))
    its = labels(chosen, world.demand, TODAY)
    return made.append_column("demand", its["demand"]).append_column("weight", its["weight"])


def test_what_is_stored_teaches_what_the_tables_behind_it_would(root: Path) -> None:
    lesson = lessons.lesson(Lake(root), TODAY, SOME)
    ends = pc.min_max(lesson.rows[KEY[1]]).as_py()
    expected = computed(root, ends["min"], ends["max"])
    assert lesson.rows.select(expected.column_names).to_pydict() == expected.to_pydict()
    assert set(lesson.rows["weight"].to_pylist()) == {1.0, 2.0}
    assert admitted(lesson.rows, also=BESIDE).num_rows == expected.num_rows
    types = lesson.rows.select(SCHEMA.names).schema.types
    assert pa.int64() not in types  # no number is so large that it needs the bytes


def test_whole_numbers_take_half_the_bytes_where_all_of_a_column_fit() -> None:
    """One that does not fit is what it was."""
    most, least = 2**31 - 1, -(2**31)
    rows = pa.table(
        {"fits": [most, None, least], "above": [most + 1, 0, 0], "below": [0, 0, least - 1]}
    )
    narrow = narrowed(rows)
    assert narrow.schema.types == [pa.int32(), pa.int64(), pa.int64()]
    assert narrow.to_pydict() == rows.to_pydict()
    both = joined([rows.slice(1), rows])  # of the first part two columns fit
    assert both.schema.types == narrow.schema.types
    assert both.to_pydict() == pa.concat_tables([rows.slice(1), rows]).to_pydict()
    nothing = rows.slice(0, 0)
    assert narrowed(nothing).to_pydict() == nothing.to_pydict()


def test_late_receipts_are_in_labels_and_in_no_feature(root: Path, tmp_path: Path) -> None:
    """And what comes after the last label changes neither (M1), nor does a later day."""
    before, late = lessons.lesson(Lake(root), TODAY), Path(shutil.copytree(root, tmp_path / "lake"))
    again = lessons.settled(before.trained_until)
    lakes.put(late, Raw.POS_TRANSACTIONS, lakes.receipts(DAYS, 40, seed=9))
    lakes.settle(late, DAYS + 40)
    same = lessons.lesson(Lake(late), again)
    assert same.rows.equals(before.rows)
    assert same.recent.equals(before.recent)
    sold = [lakes.receipt(f"late{n}", n, "S1", "S1-I1", "I1", 40) for n in range(60, 90)]
    lakes.put(late, Raw.POS_TRANSACTIONS, sold)
    lakes.settle(late, DAYS)
    after = lessons.lesson(Lake(late), again)
    assert after.rows.select(SCHEMA.names).equals(before.rows.select(SCHEMA.names))
    assert pc.sum(after.rows["demand"]).as_py() > pc.sum(before.rows["demand"]).as_py()


def test_goods_that_are_sold_by_measure_teach_nothing(root: Path, tmp_path: Path) -> None:
    before, lake = lessons.lesson(Lake(root), TODAY), Path(shutil.copytree(root, tmp_path / "lake"))
    sold = [
        lakes.receipt(f"measured:{shelf}", 70, "S1", f"S1-{shelf}", shelf, units)
        for shelf, units in (("I1", BY_MEASURE), ("I2", BY_MEASURE // 2))
    ]
    lakes.put(lake, Raw.POS_TRANSACTIONS, sold)
    lakes.settle(lake, DAYS)
    lesson = lessons.lesson(Lake(lake), TODAY)
    for rows, all_of_them in ((lesson.rows, before.rows), (lesson.demand, before.demand)):
        shelves = {*all_of_them["shelf_id"].to_pylist()}
        assert {*rows["shelf_id"].to_pylist()} == shelves - {"S1-I1"} != shelves


def test_labels_are_known_and_all_shelves_are_in_the_reference(root: Path) -> None:
    lesson = lessons.lesson(Lake(root), TODAY)
    assert lessons.settled(lesson.trained_until) <= TODAY
    assert lesson.recent.num_rows == drift.DAYS * len(lakes.shelves())


def test_cutoff_days_without_features_are_told_with_the_way_out(root: Path, tmp_path: Path) -> None:
    """No training learns from a part of the days, or takes no features for no sales."""
    lake = Lake(shutil.copytree(root, tmp_path / "lake"), writer="shelf-daily-features")
    gone = lessons.lesson(lake, TODAY).rows[KEY[1]][-1].as_py()
    none = lake.read(Curated.FEATURES_STORE, where=[(KEY[1], "=", date.max)]).read_all()
    for where, text in (
        ([(KEY[1], "=", gone)], f"of 1 of .* no features are stored, the first is {gone}"),
        ([(KEY[1], ">", date.min)], "no features are stored"),
    ):
        lake.replace(Curated.FEATURES_STORE, none, where)
        with pytest.raises(TooLittleHistory, match=text) as refused:
            lessons.lesson(lake, TODAY)
        assert "`lakeshelf features backfill`" in str(refused.value)
