"""What analysts do with what a demo leaves: notebooks, which stop where a number is wrong, and every engine."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from lakeshelf import query
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops, Raw, Staging
from lakeshelf.forecast.training import training
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.fingerprints import RowSums
from tests.docs.answers import ANSWERS, Shop, compared
from tests.docs.questions import QUESTIONS
from tests.forecast.training.conftest import Study, study
from tests.forecast.training.lakes import ACT

__all__ = ["study"]

FOLDER = Path(__file__).parents[2] / "notebooks"
OF_DEMO = ("stock_and_sales", "what_changed_and_why")
OF_MODEL = "is_the_model_worth_it"
NAMES = (*OF_DEMO, OF_MODEL)
SMALL = ("--stores", "2", "--baskets", "2000")
"""Receipts of two stores until spring: the notebooks ask for March and for what came after it."""


def read(name: str) -> nbformat.NotebookNode:
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def execute(name: str, lake: Path, monkeypatch: pytest.MonkeyPatch, own: Path) -> list[str]:
    """Run a notebook on a lake; what it said on stderr."""
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(variable, str(own / variable))
    monkeypatch.setenv("LAKESHELF_LAKE_ROOT", str(lake))
    book = read(name)
    place = {"metadata": {"path": str(FOLDER)}}
    how = {"timeout": 300, "startup_timeout": 300, "kernel_name": "python3"}
    NotebookClient(book, resources=place, **how).execute()
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    return [output["text"] for output in outputs if output.get("name") == "stderr"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("notebooks") / "lake"
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(lake), "demo", *SMALL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return lake


@pytest.fixture
def copied(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "lake"))


def receipt_twice(lake: Path) -> None:
    """The longest receipt since April comes in a second time."""
    since = [("event_date", ">=", date(2017, 4, 1))]
    rows = Lake(lake).read("raw/pos_transactions", where=since).read_all()
    longest = pc.index(lines := pc.list_value_length(rows["items"]), pc.max(lines)).as_py()
    write_deltalake(lake / "raw" / "pos_transactions", rows.slice(longest, 1), mode="append")


def unit_too_many(lake: Path) -> None:
    """Every shelf has a unit more than has moved."""
    more = {"balance": "balance + 1", "current_stock": "current_stock + 1"}
    DeltaTable(str(lake / "cleansed" / "shelf_state")).update(more)


def unit_lost_between(lake: Path) -> None:
    """Every total of an item lacks a unit."""
    fewer = {"shelf_stock": "shelf_stock - 1", "total_stock": "total_stock - 1"}
    table = DeltaTable(str(lake / "curated" / "product_total_state"))
    table.update(fewer, predicate="shelf_stock > 0")


@pytest.mark.parametrize("name", NAMES)
def test_git_has_no_outputs(name: str) -> None:
    cells = [cell for cell in read(name).cells if cell.cell_type == "code"]
    assert cells
    assert [cell.outputs for cell in cells if cell.outputs] == []
    assert [cell.execution_count for cell in cells if cell.execution_count] == []


def test_every_notebook_is_tested_and_named_in_the_readme() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert all(f"(notebooks/{name}.ipynb)" in readme for name in NAMES)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", OF_DEMO)
def test_a_notebook_runs_on_what_a_demo_leaves_and_runs_again(
    name: str, demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(name, demo, monkeypatch, tmp_path) == []
    if name == "what_changed_and_why":  # the one that writes
        assert execute(name, demo, monkeypatch, tmp_path) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "wrong", "line"),
    [
        ("stock_and_sales", receipt_twice, 'assert span["receipts"].sum() == baskets'),
        ("stock_and_sales", unit_too_many, 'assert shelf["balance"][-1] == state["balance"]'),
        ("stock_and_sales", unit_lost_between, "assert month_ends.iloc[-1]"),
        ("what_changed_and_why", receipt_twice, 'assert compared["more"].sum() == since_march'),
    ],
)
def test_a_notebook_stops_where_a_number_is_wrong(
    name: str,
    wrong: Callable[[Path], None],
    line: str,
    copied: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong(copied)
    with pytest.raises(CellExecutionError, match=rf"(?s){re.escape(line)}.*AssertionError"):
        execute(name, copied, monkeypatch, tmp_path)


def taught(study: Study, folder: Path) -> Path:
    """A lake of a few shelves with a version of a model, and no policy but the defaults."""
    lake = study.copy(folder)
    training.keep(lake, study.outcome, study.origin, ACT)
    for table in (Raw.LOST_SALES, Staging.SHELF_POLICIES, Staging.WH_POLICIES):
        tables.ensure(lake.root, CATALOG.tables[table])
    return folder / "lake"


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_notebook_of_the_model_runs_and_stops_where_scores_are_not_what_its_gates_saw(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = taught(study, tmp_path)
    assert execute(OF_MODEL, lake, monkeypatch, tmp_path) == []
    table = DeltaTable(str(lake / Ops.MODEL_SCORES))
    table.update({"value": "value * 2"}, predicate="contender = 'lightgbm' AND metric = 'pinball'")
    with pytest.raises(CellExecutionError, match=r"(?s)assert measured\[metric\].*AssertionError"):
        execute(OF_MODEL, lake, monkeypatch, tmp_path)


READ: dict[str, Callable[[Any, pa.Schema], pa.Table]] = {
    "arrow": lambda value, _: value.read_all(),
    "pandas": lambda value, schema: pa.Table.from_pandas(value, schema, preserve_index=False),
    "polars": lambda value, _: value.collect().to_arrow(),
    "duckdb": lambda value, _: value.to_arrow_table(),
    "datafusion": lambda value, _: value.to_arrow_table(),
    "ibis": lambda value, _: value.to_pyarrow(),
}


def content(engine: str, lake: Lake, name: str) -> tuple[int, str]:
    """Rows, and a fingerprint that knows no order."""
    snapshot = lake.snapshot(name)
    found = RowSums(snapshot.schema)
    served = query.serve(snapshot, engine)
    for batch in READ[engine](served.value, snapshot.schema).to_batches():
        found.add(batch)
    return found.rows, found.fingerprint


@pytest.mark.slow
@pytest.mark.spark
def test_every_engine_gives_the_same_rows_of_every_table_of_the_demo(demo: Path) -> None:
    lake = Lake(demo)
    names = lake.names()
    assert {"raw/shelf_events", "raw/pos_transactions", "cleansed/shelf_state"} <= set(names)
    differing = {}
    for name in names:
        found = {engine: content(engine, lake, name) for engine in READ}
        if len(set(found.values())) > 1:
            differing[name] = found
    assert differing == {}
    assert content("arrow", lake, "raw/shelf_events")[0] > 1000


@pytest.fixture(scope="module")
def receipts(demo: Path) -> Shop:
    return Shop(demo)


def test_there_are_ten_questions_of_an_analyst() -> None:
    assert QUESTIONS.keys() == ANSWERS.keys()
    assert len(QUESTIONS) == 10


@pytest.mark.slow
@pytest.mark.parametrize("question", ANSWERS)
def test_a_question_of_an_analyst_is_answered_by_one_statement(
    receipts: Shop, question: str
) -> None:
    found, right = compared(receipts, question)
    assert found == right
    assert found or not QUESTIONS[question].on_both
