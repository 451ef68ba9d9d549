"""Tables that Spark writes once for all cells of the matrix, and its own rows of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakeshelf.lake import Lake
from tests.matrix import written
from tests.streams.conftest import own_settings, spark  # noqa: F401 - fixtures
from tests.streams.pipeline import INTERPRETED

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@dataclass(frozen=True)
class Matrix:
    """A lake of tables that Spark wrote, the session that did, and the rows that it reads from each."""

    lake: Lake
    root: Path
    spark: SparkSession
    rows: Mapping[str, list[written.Row]]


@pytest.fixture(scope="session")
def matrix(
    spark: SparkSession,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Matrix:
    for key, value in INTERPRETED.items():
        spark.conf.set(key, value)
    root = tmp_path_factory.mktemp("matrix")
    rows = {name: written.write(spark, root, name) for name in written.TABLES}
    return Matrix(Lake(root, catalog={}), root, spark, rows)
