"""What is said of settings that cannot be: which, its value, and where it is corrected."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakeshelf.errors import ConfigurationError


def value(first: Any, overrides: Mapping[str, Any], file: Path | None) -> ConfigurationError:
    """What to say of the first value that cannot be, and of where it comes from.

    Args:
        first: The error of pydantic.
        overrides: Settings that the command named.
        file: The configuration file in force.
    """
    name = ".".join(map(str, first["loc"]))
    top = str(first["loc"][0]) if first["loc"] else ""
    variable = f"LAKESHELF_{top.upper().removeprefix('LAKESHELF_')}"
    place: object = file
    if overrides.get(top) is not None:
        place = "the command"
    elif place is None or variable in os.environ:
        place = f"the environment ({variable})"
    return ConfigurationError(
        f"setting {name} = {first.get('input')!r}: {first['msg']}", hint=f"correct it in {place}"
    )


def no_json(error: str) -> ConfigurationError:
    """What to say of a variable whose setting is made of parts, and which holds no JSON.

    Args:
        error: What pydantic says.
    """
    quoted = re.search(r'field "(\w+)"', error)
    name = quoted[1] if quoted else "of several parts"
    variable = f"LAKESHELF_{name.upper()}"
    return ConfigurationError(
        f"setting {name} = {os.environ.get(variable)!r}: it is no JSON",
        hint=f'write it such as {variable}=\'{{"cleansed/shelf_state": "spark"}}\'',
    )
