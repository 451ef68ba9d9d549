"""A dataflow whose nodes are kept as Delta tables; `calls` tells which were computed."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
from hamilton.function_modifiers import cache

from lakeshelf.hamilton import DeltaRef
from lakeshelf.lake import Lake

calls: list[str] = []


@cache(format="delta")
def arrow(number: int) -> pa.Table:
    calls.append("arrow")
    return pa.table({"k": list(range(number)), "v": [f"v{n}" for n in range(number)]})


@cache(format="delta")
def frame(arrow: pa.Table) -> pd.DataFrame:
    calls.append("frame")
    return arrow.to_pandas()


@cache(format="delta")
def polar(arrow: pa.Table) -> pl.DataFrame:
    calls.append("polar")
    return pl.from_arrow(arrow)


@cache(format="parquet")
def plain(frame: pd.DataFrame) -> pd.DataFrame:
    calls.append("plain")
    return frame.assign(more=1)


@cache(format="delta")
def written(arrow: pa.Table, root: str) -> DeltaRef:
    calls.append("written")
    lake = Lake(root)
    return DeltaRef.of_commit(lake, lake.overwrite("curated/flow", arrow))


@cache(format="delta")
def counted(written: DeltaRef) -> pa.Table:
    calls.append("counted")
    return pa.table({"rows": [written.read().read_all().num_rows]})


def total(counted: pa.Table, frame: pd.DataFrame, polar: pl.DataFrame, plain: pd.DataFrame) -> int:
    calls.append("total")
    return int(counted["rows"][0].as_py()) + len(frame) + len(polar) + len(plain)
