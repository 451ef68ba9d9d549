"""Files dropped, changed, loaded, retried, forced and rebuilt in any order leave the rows that a model has."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lakeshelf.ingestion import force, rebuild, retry
from lakeshelf.ingestion.domain.manifest import RETRIED
from tests.ingestion.conftest import DECLARED
from tests.ingestion.rig import POS, Clock, Rig, csv

LIMITED = DECLARED.replace('"bigint"', '{ type = "bigint", maximum = 100 }')
CONTENT = st.lists(st.sampled_from(("500", "1", "x", "")), max_size=4)
FILES = st.dictionaries(st.sampled_from(("a", "b", "sub/a")), CONTENT, min_size=1)


class Files(RuleBasedStateMachine):
    """What ingestion promises, in plain Python: a file is (path, content); its rows are there or refused."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.rig = Rig(self.folder / "lake", Clock())
        self._declare(True)
        self.there: dict[str, tuple[str, ...]] = {}
        self.ids: dict[tuple[str, tuple[str, ...]], int] = {}
        self.loaded: dict[int, set[int]] = {}
        self.tried: dict[int, bool] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(files=FILES)
    def begin(self, files: dict[str, list[str]]) -> None:
        self._drop(files)
        self.scan()

    @rule(files=FILES)
    def drop(self, files: dict[str, list[str]]) -> None:
        self._drop(files)
        self.scan()

    @rule(files=FILES)
    def drop_and_rebuild(self, files: dict[str, list[str]]) -> None:
        self._drop(files)
        self.rebuild()

    @rule()
    def scan(self) -> None:
        self.rig.scan()
        self._registered()
        for (name, quantities), file_id in self.ids.items():
            if file_id not in self.tried and self.there.get(name) == quantities:
                self.loaded[file_id] = self._good(quantities)
                self.tried[file_id] = True

    @rule(change=st.booleans())
    def retry(self, change: bool) -> None:
        self._declare(self.limited != change)
        retried = self._in_state(*RETRIED)
        retry(self.rig.lake)
        for (name, quantities), file_id in self.ids.items():
            if file_id in retried and self.there.get(name) == quantities:
                self.loaded[file_id] |= self._good(quantities)

    @rule(data=st.data(), change=st.booleans())
    def force(self, data: st.DataObject, change: bool) -> None:
        self._declare(self.limited != change)
        here = [(key, i) for key, i in self.ids.items() if self.there.get(key[0]) == key[1]]
        (_, quantities), file_id = data.draw(st.sampled_from(here))
        force(self.rig.lake, [file_id])
        self.loaded[file_id] = self._good(quantities)

    @rule()
    def rebuild(self) -> None:
        rebuild(self.rig.lake, POS, drop_gone=True)
        self._registered()
        for (name, quantities), file_id in self.ids.items():
            is_there = self.there.get(name) == quantities
            self.loaded[file_id] = self._good(quantities) if is_there else set()
            self.tried[file_id] = True

    @invariant()
    def rows_are_those_of_the_model(self) -> None:
        found = {(row[0], row[1]) for row in self.rig.rows(POS, "qty")}
        assert found == {(i, line) for i, lines in self.loaded.items() for line in lines}
        assert len(self.rig.rows(POS, "qty")) == len(found)

    @invariant()
    def every_row_is_loaded_or_refused(self) -> None:
        failed = self._in_state("failed", "dead")
        for (name, quantities), file_id in self.ids.items():
            if file_id not in failed and self.there.get(name) == quantities:
                refused = {line for line, *_ in self.rig.rules(file_id)}
                assert refused | self.loaded[file_id] == set(self._lines(quantities)), quantities
                assert not refused & self.loaded[file_id]

    def _drop(self, files: dict[str, list[str]]) -> None:
        for name, quantities in files.items():
            rows = [("S1", "2024-01-01", quantity) for quantity in quantities]
            self.rig.drop(f"pos/{name}.csv", csv(*rows))
            self.there[name] = tuple(quantities)

    def _declare(self, limited: bool) -> None:
        self.limited = limited
        self.rig.drop("pos/_dataset.toml", LIMITED if self.limited else DECLARED)

    def _lines(self, quantities: tuple[str, ...]) -> range:
        return range(2, 2 + len(quantities))

    def _good(self, quantities: tuple[str, ...]) -> set[int]:
        most = 100 if self.limited else 10_000
        return {
            line
            for line, q in zip(self._lines(quantities), quantities, strict=True)
            if q != "x" and (q == "" or int(q) <= most)
        }

    def _in_state(self, *states: str) -> set[int]:
        return {file.file_id for file in self.rig.files() if file.status in states}

    def _registered(self) -> None:
        known = {file.file_id: file for file in self.rig.files()}
        assert len(known) == len(self.rig.files()), "an id was given twice"
        by_path = {f"{file.path}:{file.sha256}": i for i, file in known.items()}
        assert len(by_path) == len(known), "a file was registered twice"
        for name, quantities in self.there.items():
            newest = max(i for i, f in known.items() if f.path == f"pos/{name}.csv")
            matching = self.ids.setdefault((name, quantities), newest)
            assert known[matching].path == f"pos/{name}.csv"


Files.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=6,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
)
test_files = pytest.mark.slow(Files.TestCase)
