"""Nodes of a dataflow are kept as Delta tables, and computed again when they have to be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hamilton import driver
from hamilton.ad_hoc_utils import create_temporary_module
from hamilton.function_modifiers import load_from, save_to, value
from hamilton.io.materialization import from_, to

from lakeshelf.hamilton import DeltaRef
from lakeshelf.lake import Lake, NameRefused, SchemaError, VersionNotFound
from lakeshelf.lake.history import runs
from tests.dataflows import flow

ALL = ["arrow", "counted", "frame", "plain", "polar", "total", "written"]
NAME = "curated/flow"


def run(tmp_path: Path, number: int = 3, module: Any = flow) -> tuple[int, list[str]]:
    """The result, and the nodes that were computed for it."""
    flow.calls.clear()
    built = driver.Builder().with_modules(module).with_cache(path=str(tmp_path / "cache")).build()
    inputs = {"number": number, "root": str(tmp_path / "lake")}
    found = built.execute(["total"], inputs=inputs)
    built.cache.metadata_store.connection.close()
    return found["total"], sorted(flow.calls)


def artefacts(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").glob("*.delta"))


def test_the_second_time_everything_comes_from_the_cache(tmp_path: Path) -> None:
    assert run(tmp_path) == (12, ALL)
    assert run(tmp_path) == (12, [])
    assert run(tmp_path, 4) == (16, ALL)
    assert run(tmp_path) == (12, [])
    tables = [path for path in artefacts(tmp_path) if (path / "_delta_log").is_dir()]
    assert len(tables) >= 4


def test_a_lost_artefact_is_computed_again(tmp_path: Path) -> None:
    run(tmp_path)
    for path in artefacts(tmp_path):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    result, computed = run(tmp_path)
    assert result == 12
    assert {"arrow", "counted", "frame", "polar", "written"} <= set(computed)
    assert run(tmp_path) == (12, [])


def test_an_artefact_without_one_of_its_files_is_computed_again(tmp_path: Path) -> None:
    run(tmp_path)
    for path in artefacts(tmp_path):
        for file in path.glob("*.parquet"):
            file.unlink()
    result, computed = run(tmp_path)
    assert (result, "frame" in computed) == (12, True)


def test_a_table_that_was_created_again_is_not_taken_for_the_one_that_was_written(
    tmp_path: Path,
) -> None:
    run(tmp_path)
    lake = Lake(tmp_path / "lake")
    before = DeltaRef.of(lake, NAME)
    shutil.rmtree(tmp_path / "lake" / NAME)
    lake.overwrite(NAME, pa.table({"k": [1], "v": ["other"]}))
    after = DeltaRef.of(lake, NAME)
    assert (before.dataset, before.version) == (after.dataset, after.version)
    assert before != after
    with pytest.raises(VersionNotFound, match="created again"):
        before.read()
    result, computed = run(tmp_path)
    assert (result, "written" in computed) == (12, True)


def test_a_version_whose_files_are_gone_is_computed_again(tmp_path: Path) -> None:
    run(tmp_path)
    for file in (tmp_path / "lake" / NAME).glob("*.parquet"):
        file.unlink()
    result, computed = run(tmp_path)
    assert (result, "written" in computed) == (12, True)


def test_other_code_is_computed_again_with_what_follows_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)
    text = Path(flow.__file__).read_text(encoding="utf-8")
    changed = tmp_path / "changed_flow.py"
    changed.write_text(
        text.replace("return arrow.to_pandas()", "return arrow.to_pandas().head(1)").replace(
            "calls: list[str] = []", "from tests.dataflows.flow import calls"
        ),
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    import changed_flow

    try:
        assert run(tmp_path, module=changed_flow) == (8, ["frame", "plain", "total"])
    finally:
        del sys.modules["changed_flow"]


@pytest.mark.parametrize("kind", [pa.Table, pd.DataFrame, pl.DataFrame])
def test_materializers_load_and_save_by_the_name_delta(tmp_path: Path, kind: type) -> None:
    lake = Lake(tmp_path)
    lake.append("curated/in", [{"k": 1, "v": "a"}, {"k": 2, "v": "b"}])

    def result(given: Any) -> Any:
        return given

    result.__annotations__ = {"given": kind, "return": kind}
    built = driver.Builder().with_modules(create_temporary_module(result)).build()
    where = [("k", ">", 1)]
    metadata, _ = built.materialize(
        from_.delta(target="given", dataset="curated/in", lake=lake, where=where),
        to.delta(
            id="saved",
            dependencies=["result"],
            dataset="curated/out",
            lake=lake,
            metadata={"step": 1},
        ),
    )
    told = metadata["saved"]["delta"]
    ref = DeltaRef.of(lake, "curated/out")
    assert (told["table"], told["version"], told["table_id"]) == (
        "curated/out",
        ref.version,
        ref.table_id,
    )
    assert (told["rows"], told["metadata"]) == (1, {"step": 1})
    assert ref.read(lake=lake).read_all().to_pylist() == [{"k": 2, "v": "b"}]


def test_decorators_load_and_save_by_the_name_delta(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("curated/in", [{"k": 1}])

    @save_to.delta(dataset=value("curated/out"), lake=value(lake), output_name_="saved")
    @load_from.delta(dataset=value("curated/in"), lake=value(lake), inject_="given")
    def doubled(given: pa.Table) -> pa.Table:
        return pa.concat_tables([given, given])

    built = driver.Builder().with_modules(create_temporary_module(doubled)).build()
    assert built.execute(["saved"])["saved"]["delta"]["rows"] == 2


def test_a_dataflow_in_a_run_is_recorded(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append("curated/in", [{"k": 1}])

    def result(given: pa.Table) -> pa.Table:
        return given

    built = driver.Builder().with_modules(create_temporary_module(result)).build()
    with lake.run("flow") as opened:
        built.materialize(
            from_.delta(target="given", dataset="curated/in", lake=opened),
            to.delta(id="saved", dependencies=["result"], dataset="curated/out", lake=opened),
        )
    assert [(row["dataset"], row["kind"]) for row in runs.rows_of(lake.root, "flow")] == [
        ("curated/in", "read"),
        ("curated/out", "write"),
    ]


def test_a_frame_with_an_index_is_refused_instead_of_losing_it(tmp_path: Path) -> None:
    from hamilton.registry import SAVER_REGISTRY

    (saver,) = (s for s in SAVER_REGISTRY["delta"] if s.applicable_types() == [pd.DataFrame])
    frame = pd.DataFrame({"v": [1, 2]}, index=pd.Index(["a", "b"], name="k"))
    with pytest.raises(SchemaError, match="has the index k"):
        saver(dataset=NAME, lake=Lake(tmp_path)).save_data(frame)
    with pytest.raises(NameRefused, match="needs a dataset or a path"):
        saver().save_data(frame.reset_index())


def test_a_loader_that_is_recomputed_sees_what_was_written_since(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    lake.append("curated/in", [{"k": 1}])
    seen: list[int] = []

    def result(given: pa.Table) -> int:
        seen.append(given.num_rows)
        return given.num_rows

    for expected in (1, 1, 2):
        if expected == 2:
            lake.append("curated/in", [{"k": 2}])
        built = (
            driver.Builder()
            .with_modules(create_temporary_module(result))
            .with_materializers(from_.delta(target="given", dataset="curated/in", lake=lake))
            .with_cache(path=str(tmp_path / "cache"), default_loader_behavior="recompute")
            .build()
        )
        assert built.execute(["result"])["result"] == expected
        built.cache.metadata_store.connection.close()
    assert seen == [1, 2], "equal rows have an equal fingerprint"
