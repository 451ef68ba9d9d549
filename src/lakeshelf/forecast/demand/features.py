"""What a forecast may read of a row, and nothing else; each feature is declared in the contract."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from lakeshelf.contracts import arrow
from lakeshelf.contracts.retail.features import FEATURES, LONGEST, SPANS
from lakeshelf.contracts.types import STRING
from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.frames import KEY, Columns

SCHEMA = pa.schema(
    [
        pa.field(KEY[0], pa.string()),
        pa.field(KEY[1], pa.date32()),
        *arrow.schema(FEATURES),
    ]
)
"""A row of features."""


class FeatureError(LakeshelfError):
    """Columns that are not those which a forecast may read."""


def admitted(rows: pa.Table, *, also: Sequence[str] = ()) -> pa.Table:
    """The rows, in the order of `SCHEMA`, if they have its columns and no other; whole numbers may be of fewer bytes.

    Args:
        rows: Key and features.
        also: Names of further columns that go along, such as label and weight, and are no features.

    Raises:
        FeatureError: A column is missing, mistyped, or none that a forecast may read.
    """
    names, own = rows.column_names, SCHEMA.names
    differences = [
        *(f"{name} is none" for name in names if name not in own and name not in also),
        *(f"{name} is twice there" for name in dict.fromkeys(names) if names.count(name) > 1),
        *(f"{name} is missing" for name in (*own, *also) if name not in names),
        *(
            f"{name} is {rows.schema.field(name).type}, not {SCHEMA.field(name).type}"
            for name in own
            if names.count(name) == 1 and not _is_of(rows.schema.field(name), SCHEMA.field(name))
        ),
    ]
    if differences:
        raise FeatureError(
            f"no features of a forecast: {', '.join(differences)}",
            hint="give the rows of lakeshelf.forecast.demand.rows",
        )
    return rows.select([*own, *also])


def _is_of(field: pa.Field, declared: pa.Field) -> bool:
    """Whether a column has the declared type; whole numbers may stand in fewer bytes."""
    if not pa.types.is_signed_integer(declared.type):
        return bool(field.type == declared.type)
    is_whole = bool(pa.types.is_signed_integer(field.type))
    return is_whole and bool(field.type.bit_width <= declared.type.bit_width)


def is_young(age: int) -> bool:
    """Whether a shop has receipts of fewer days than the longest window."""
    return age < LONGEST


def columns(rows: pa.Table, age: int = LONGEST) -> Columns:
    """What a model reads, with the categories frozen as these rows have them, sorted.

    Args:
        rows: Rows of features.
        age: Days of receipts that they follow from. Of a young shop no window is read that was full on fewer than half
            of them: it grows day by day, and on the next ones it is longer than in any row.
    """
    longest = age // 2 if is_young(age) else LONGEST
    numeric = tuple(
        feature.name
        for feature in FEATURES
        if feature.type != STRING and SPANS.get(feature.name, 0) <= longest
    )
    texts = (feature.name for feature in FEATURES if feature.type == STRING)
    values = {name: rows[name].drop_null().unique().to_pylist() for name in texts}
    return Columns(numeric, {name: tuple(sorted(texts)) for name, texts in values.items()})
