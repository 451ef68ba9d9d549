"""What the examination says of product tables that are not there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.observing import doctor_lake
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.plan import QueryPlan
from lakeshelf.streams.resume import checkpoint

OWN = ("ops/files", "ops/file_rejects")
"""Tables that loading files makes."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(lake_root=tmp_path / "lake")


def make(settings: Settings, *names: str) -> None:
    for name in names:
        tables.ensure(settings.lake_root, CATALOG.tables[name])


@pytest.mark.parametrize("there", [(), OWN])
def test_before_the_first_start_missing_tables_are_no_fault_and_one_line(
    settings: Settings, there: tuple[str, ...]
) -> None:
    make(settings, *there)
    (found,) = doctor_lake.delta_tables(settings)
    missing = len(CATALOG.tables) - len(there)
    assert found.ok
    assert f"{missing} of {len(CATALOG.tables)} product tables are not there yet" in found.message


@pytest.mark.parametrize("trace", ["table", "checkpoint"])
def test_once_it_began_missing_tables_are_a_fault_that_names_them(
    settings: Settings, trace: str
) -> None:
    make(settings, *OWN)
    if trace == "table":
        make(settings, "raw/shelf_events")
    else:
        pointer = settings.checkpoint_dir / "shelf-aggregator" / checkpoint.POINTER
        pointer.parent.mkdir(parents=True)
        pointer.touch()
    (found,) = doctor_lake.delta_tables(settings)
    assert not found.ok
    assert "product tables are missing: " in found.message
    assert "cleansed/shelf_state" in found.message
    assert "ops/files" not in found.message


def test_a_mirror_that_no_job_fills_is_named_with_its_owner(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor_lake.binding, "bind", lambda _: ())
    assert all(finding.ok for finding in doctor_lake.jobs(settings))
    job = registry.discover(settings.home)["foot-traffic-raw-sink"]
    without = replace(job, mirrors=("foot_traffic",))
    monkeypatch.setattr(doctor_lake, "_plans", lambda _: (QueryPlan((without,)),))
    _, *findings = doctor_lake.jobs(settings)
    assert "no job mirrors lost_sales, so raw/lost_sales stays empty" in [
        f.message for f in findings
    ]
    assert not any(finding.ok for finding in findings)
