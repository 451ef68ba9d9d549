"""What a lake teaches follows from the last day whose labels are known, and from nothing behind it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow.compute as pc
import pytest

from lakeshelf.contracts.layers import Raw
from lakeshelf.forecast.demand.features import admitted
from lakeshelf.forecast.training import lessons
from lakeshelf.forecast.training.trials import BESIDE
from lakeshelf.lake import Lake
from tests.forecast.training import lakes

DAYS = 110
TODAY = lakes.BEGIN + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lakes.written(tmp_path_factory.mktemp("lessons") / "lake", days=DAYS)


@pytest.mark.slow
def test_later_events_and_a_later_day_of_the_same_labels_change_no_row(root: Path) -> None:
    """M1, and what a second training relies on."""
    before = lessons.lesson(Lake(root), TODAY)
    lakes.put(root, Raw.POS_TRANSACTIONS, lakes.receipts(DAYS, 40, seed=9))
    after = lessons.lesson(Lake(root), lessons.settled(before.trained_until))
    assert after.rows.equals(before.rows)
    assert after.recent.equals(before.recent)
    assert admitted(before.rows, also=BESIDE).num_rows == before.rows.num_rows


@pytest.mark.slow
def test_labels_are_known_and_all_shelves_are_in_the_reference(root: Path) -> None:
    lesson = lessons.lesson(Lake(root), TODAY)
    assert lessons.settled(lesson.trained_until) <= TODAY
    first = pc.min(lesson.rows["feature_date"]).as_py()
    assert first >= lakes.BEGIN + timedelta(days=lessons.WARM_UP_DAYS)
    assert lesson.recent.num_rows == lessons.RECENT * len(lakes.shelves())
    assert pc.max(lesson.rows["store_visits_7d"]).as_py() == 7


@pytest.mark.slow
def test_a_shelf_without_a_profile_teaches_nothing(tmp_path: Path) -> None:
    root = lakes.written(tmp_path / "lake", days=90)
    sold = [lakes.receipt(f"x{n}", n, "S1", "S1-X", "X", 1) for n in range(80)]
    lakes.put(root, Raw.POS_TRANSACTIONS, sold)
    lesson = lessons.lesson(Lake(root), lakes.BEGIN + timedelta(days=90))
    assert "S1-X" not in lesson.rows["shelf_id"].to_pylist()
    assert "S1-X" in lesson.known.demand["shelf_id"].to_pylist()
