"""What a component reads is derived from its code, and is what its README says and what it reads when it acts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakeshelf.components import flows, registry
from lakeshelf.contracts import CATALOG
from lakeshelf.settings import project_home
from tests.components.bench import Tables, Worker

HOME = project_home()
APPS = registry.discover(HOME)
APP = '''
from lakeshelf.components.component import Component
from lakeshelf.contracts.layers import Curated
from beside_it import STATE

class Reader(Component):
    """Reads what others keep."""

    name = "reader"
    doc = "Reads."
    journal = "ops/journal_reader"
    hears = ("commands",)
    publishes = ("alerts",)

    def dues(self, after, tick):
        return [Curated.SHELF_PROFILES, "raw/wh_events", "no/table"]

    def decide(self, due, tick):
        return None

COMPONENT = Reader
'''


@pytest.mark.parametrize("name", sorted(APPS))
def test_the_readme_says_which_tables_of_others_are_read(name: str) -> None:
    readme = (HOME / registry.room(HOME, name) / name / "README.md").read_text(encoding="utf-8")
    said = re.search(r"\*\*Reads\*\*(.*?)(; acts|\*\*Keeps)", readme)
    assert said is not None
    tables = CATALOG.tables.keys() & re.findall(r"`([^`]+)`", said[1])
    app = APPS[name]
    assert tables - flows.own(app) == CATALOG.tables.keys() & {*flows.reads(app)}


def test_tables_are_known_by_whatever_module_of_the_folder_names_them(tmp_path: Path) -> None:
    folder = tmp_path / registry.ROOMS[0] / "reader"
    folder.mkdir(parents=True)
    (folder / "reader.py").write_text(APP)
    (folder / "beside_it.py").write_text('STATE = "cleansed/shelf_state"\n')
    app = registry.module(tmp_path, "reader").COMPONENT
    tables = ("cleansed/shelf_state", "curated/shelf_profiles", "raw/wh_events")
    assert flows.reads(app) == ("clock", "commands", *tables)
    assert flows.writes(app) == ("alerts", "ops/journal_reader")


def test_a_read_that_lineage_does_not_know_fails_the_tests_of_its_component() -> None:
    lake = Tables()
    Worker("daily-discount-manager", lake)
    assert lake.read("cleansed/shelf_batch_state").read_all().num_rows == 0
    with pytest.raises(AssertionError, match="lineage knows no read of ops/alerts"):
        lake.read("ops/alerts")
