"""What the driver refuses before it takes anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.streams.declare import registry
from lakeshelf.streams.run.runner import Driver


def test_a_committer_for_a_table_that_is_not_there_is_not_passed_over(tmp_path: Path) -> None:
    settings = load_settings(lake_root=tmp_path, table_committers={"cleansed/wh_stat": "spark"})
    with pytest.raises(ConfigurationError, match="table_committers: 'cleansed/wh_stat'") as refused:
        Driver([], settings, {})
    assert "cleansed/wh_state" in str(refused.value.hint)


def test_queries_start_soonest_trigger_first(settings: Settings) -> None:
    """By name, those that decide would come last."""
    session: Any = None
    driver = Driver(registry.discover(settings.home).values(), settings, {})
    driver.make_queries(session)
    triggers = [query.plan.trigger_ms for query in driver.queries]
    assert triggers == sorted(triggers)
    assert triggers != [query_plan.trigger_ms for query_plan in driver.plans]
