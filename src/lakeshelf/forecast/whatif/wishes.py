"""Fields of a policy that somebody wrote as text, for a lake on which the rule decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lakeshelf.contracts import values as contract_values
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.whatif.errors import OutOfBounds
from lakeshelf.forecast.whatif.policies import FIELDS, OF_MODELS, Policy, require_known


def typed(texts: Mapping[str, str]) -> dict[str, Any]:
    """Values of fields that somebody wrote as text.

    Raises:
        UnknownField: A name that is no field of a policy, or one that changes no order.
        OutOfBounds: A text that is no value of its field, or a value that the field may not have.
        ConfigurationError: It asks for orders of a model.
    """
    for name in texts:
        require_known(name)
    values = {name: _read(name, text) for name, text in texts.items()}
    Policy().changed(values)
    require_rule(values)
    return {name: value for name, value in values.items() if name not in OF_MODELS}


def require_rule(values: Mapping[str, Any]) -> None:
    """Refuse what asks for orders of a model: a replay has the levels of none, so it could tell nothing of them.

    Raises:
        ConfigurationError: It asks for them.
    """
    for name in OF_MODELS:
        value = values.get(name)
        if value is not None and value != FIELDS[name].default:
            raise ConfigurationError(
                f"{name} is {value}, and a replay cannot make a model's levels of past days yet",
                hint="set fields of the rule, such as reorder_point_qty=5",
            )


def _read(name: str, text: str) -> Any:
    field = FIELDS[name]
    try:
        return contract_values.read(field.type, text if field.enum else json.loads(text))
    except (ValueError, RecursionError):
        raise OutOfBounds(
            f"{name} is {field.type}, not {text!r}", hint=f"it means: {field.doc}"
        ) from None
