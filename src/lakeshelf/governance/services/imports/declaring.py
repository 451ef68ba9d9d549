"""How the text of an uploaded file is written, as people declare it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Any

from lakeshelf.errors import first_line
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.ingestion.declared.dialect import SETTINGS, Dialect, of_settings
from lakeshelf.ingestion.errors import DeclarationError

SETS = 'SETTING = VALUE, such as delimiter = ";"'


def dialect_of(declared: Sequence[str]) -> Dialect:
    """The dialect that lines of TOML declare; none: the usual one.

    Args:
        declared: A setting of `lakeshelf.ingestion.declared.dialect.Dialect` each, such as `delimiter = ";"`.

    Raises:
        GovernanceError: `request_invalid`.
    """
    settings: dict[str, Any] = {}
    for line in declared:
        settings |= _of_line(line)
    for name, value in settings.items():
        if name not in SETTINGS:
            raise _invalid(f"there is no setting {name!r}; there are {', '.join(SETTINGS)}")
        if type(value) is not SETTINGS[name] or not _is_plain(value):
            raise _invalid(f"{name} = {value!r} is not of the type {SETTINGS[name].__name__}")
    try:
        return of_settings(settings)
    except DeclarationError as error:
        raise _invalid(str(error)) from error


def _of_line(line: str) -> dict[str, Any]:
    try:
        return tomllib.loads(line)
    except (ValueError, RecursionError) as error:  # also too many digits, and nested too deep
        raise _invalid(f"{line!r} declares nothing: {first_line(error)}") from error


def _is_plain(value: object) -> bool:
    return not isinstance(value, list) or all(isinstance(one, str) for one in value)


def _invalid(problem: str) -> GovernanceError:
    return refused("request_invalid", problem, hint=f"declare {SETS}")
