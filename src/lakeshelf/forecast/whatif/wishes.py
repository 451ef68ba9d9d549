"""Fields of a policy that somebody wrote as text, for a lake on which the rule decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lakeshelf.contracts import values as contract_values
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.whatif.errors import OutOfBounds
from lakeshelf.forecast.whatif.policies import FIELDS, SOURCES, Policy, require_known

OF_MODELS = ("service_level", "allow_zero")
"""Fields that decide about levels from forecasts alone."""


def typed(texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of fields that somebody wrote as text.

    Raises:
        UnknownField: A name that is no field of a policy, or one that changes no order.
        OutOfBounds: A text that is no value of its field, or a value that the field may not have.
        ConfigurationError: It asks for orders of a model.
    """
    for name, text in texts.items():
        require_known(name)
        _require_rule(name, text)
    values = {name: _read(name, text) for name, text in texts.items() if name in FIELDS}
    Policy().changed(values)
    return values


def _require_rule(name: str, text: str) -> None:
    if name in OF_MODELS or (name == "plan_source" and text == SOURCES[1]):
        raise ConfigurationError(
            f"{name} is {text}, and no model decides on this lake yet",
            hint="set fields of the rule, such as reorder_point_qty=5",
        )
    if name == "plan_source" and text not in SOURCES:
        raise OutOfBounds(f"{name} is {text!r}", hint=f"give {SOURCES[0]}")


def _read(name: str, text: str) -> Any:
    field = FIELDS[name]
    try:
        return contract_values.read(field.type, json.loads(text))
    except (ValueError, RecursionError):
        raise OutOfBounds(
            f"{name} is {field.type}, not {text!r}", hint=f"it means: {field.doc}"
        ) from None
