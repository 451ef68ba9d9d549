"""What somebody asks for: fields of a policy as text, or the cells of a change request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import values as contract_values
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.whatif.errors import OutOfBounds
from lakeshelf.forecast.whatif.policies import FIELDS, OF_MODELS, StockPolicy, require_known
from lakeshelf.shop.explain import limits

Cell = Mapping[str, Any]
"""A change: `row_id`, `op` (`set`, `insert` or `delete`), `column` (of `set`), and `staged`, the value or the row."""
KEY = "shelf_id"


def typed(texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of fields that somebody wrote as text.

    Raises:
        UnknownField: A name that is no field of a policy, or one that changes no order.
        OutOfBounds: A text that is no value of its field, or a value that the field may not have.
    """
    for name in texts:
        require_known(name)
    values = {name: _read(name, text) for name, text in texts.items()}
    StockPolicy().changed(values)
    return values


def require_use(values: Mapping[str, Any], changed: StockPolicy) -> None:
    """Refuse fields that decide about levels of a model where the rule orders for every shelf.

    Args:
        values: Field → what was asked for.
        changed: The policy that it makes.

    Raises:
        ConfigurationError: They would change nothing.
    """
    idle = [name for name in values if name in OF_MODELS and name != "plan_source"]
    if idle and not changed.by_model.any():
        raise ConfigurationError(
            f"{idle[0]} decides about levels of a model, and the rule orders for every shelf that is looked at",
            hint="set plan_source=ml, too",
        )


def _read(name: str, text: str) -> Any:
    field = FIELDS[name]
    try:
        return contract_values.read(field.type, text if field.enum else json.loads(text))
    except (ValueError, RecursionError):
        raise OutOfBounds(
            f"{name} is {field.type}, not {text!r}", hint=f"it means: {field.doc}"
        ) from None


def patched(topic: str, policies: pa.Table, cells: Iterable[Cell]) -> pa.Table:
    """Rows of the latest policies after some changes.

    Args:
        topic: `shelf_policies` or `wh_policies`.
        policies: The rows of its table.
        cells: The changes.
    """
    rows = {row[KEY]: row for row in policies.to_pylist()}
    for cell in cells:
        shelf = cell["row_id"]
        if cell["op"] == "delete":
            rows.pop(shelf, None)
        elif cell["op"] == "insert":
            rows[shelf] = _made(topic, shelf, cell["staged"])
        else:
            row = rows.get(shelf) or _made(topic, shelf, {"active": True})
            rows[shelf] = row | {cell["column"]: cell["staged"]}
    return pa.Table.from_pylist(list(rows.values()), policies.schema)


def _made(topic: str, shelf: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of fields that people choose."""
    fields = ("active", *limits(topic))
    return {KEY: shelf, "deleted": False, **{name: values.get(name) for name in fields}}
