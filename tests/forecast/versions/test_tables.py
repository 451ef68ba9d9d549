"""Tables of models have the columns of what is written into them."""

from __future__ import annotations

from dataclasses import fields
from datetime import date

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.model.scores import SCORES
from lakeshelf.forecast.versions.cards import Score
from lakeshelf.forecast.versions.registry import STATUSES, Model


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (Ops.MODELS, [field.name for field in fields(Model)]),
        (Ops.MODEL_SCORES, ["model_version", *Score.model_fields]),
    ],
)
def test_a_row_has_the_columns_of_its_table(name: str, columns: list[str]) -> None:
    assert [column.name for column in CATALOG.tables[name].columns] == columns


def test_scores_of_a_trial_and_of_a_card_are_of_the_same_types() -> None:
    """What is measured can be written as it is."""
    row = dict.fromkeys(SCORES.names, "x") | {"value": 0.5, "rows": 1, "fold": date(2026, 9, 1)}
    columns = {name: value for name, value in row.items() if name in Score.model_fields}
    assert pa.Table.from_pylist([row], SCORES).to_pylist() == [row]
    assert Score(**columns).model_dump() == columns


def test_words_of_rows_are_those_of_their_tables() -> None:
    assert CATALOG.tables[Ops.MODELS].column("status").enum == STATUSES
