"""Features of past days, asked for on a lake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lakeshelf.lake.place.locks import FileLock
from tests.components.test_backfill import CUTOFFS, past
from tests.components.test_stored_features import Shop


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return past(tmp_path / "lake").root


def test_a_back_fill_tells_what_it_wrote(lakeshelf, lake: Path) -> None:
    done = lakeshelf("--lake", lake, "features", "backfill", "--until", "2026-02-26", "--json")
    assert done.code == 0, done.err
    days = [str(day) for day in CUTOFFS[:3]]
    assert json.loads(done.out) == {"days": days, "rows": 3, "demand_days": 2}
    again = lakeshelf("--lake", lake, "features", "backfill")
    assert "3 rows of features written: 3 cutoff days from 2026-03-01 to 2026-03-05" in again.out
    assert "features of cutoff days" in again.err
    nothing = lakeshelf("--lake", lake, "features", "backfill")
    assert "No cutoff day" in nothing.out


def test_a_lake_without_receipts_says_that_there_are_none(lakeshelf, tmp_path: Path) -> None:
    """Which `models train` sends here, since no features are stored."""
    lake = Shop(tmp_path / "empty").root
    nothing = lakeshelf("--lake", lake, "features", "backfill")
    assert nothing.code == 0, nothing.err
    assert nothing.out == "There are no receipts yet, of which features are made.\n"


def test_what_is_no_day_is_refused(lakeshelf, lake: Path) -> None:
    refused = lakeshelf("--lake", lake, "features", "backfill", "--since", "yesterday")
    assert refused.code == 2
    assert "--since is 'yesterday', which is no day" in refused.error


def test_while_the_component_is_up_the_command_to_stop_it_is_told(lakeshelf, lake: Path) -> None:
    with FileLock(lake / "_stack" / "locks" / "shelf-daily-features.lock", "component"):
        refused = lakeshelf("--lake", lake, "features", "backfill")
    assert refused.code == 1
    assert "shelf-daily-features is up" in refused.error
    assert f"`lakeshelf --lake {lake} down`" in refused.error
