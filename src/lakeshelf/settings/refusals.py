"""What is said of settings that cannot be: which, its value, and where it is corrected."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from lakeshelf.errors import ConfigurationError

_USER = re.compile(r"//[^/\s]*@")
"""User and password in an address."""


def value(
    first: Any, overrides: Mapping[str, Any], file: Path | None, fields: Mapping[str, FieldInfo]
) -> ConfigurationError:
    """What to say of the first value that cannot be, and of where it comes from.

    Args:
        first: The error of pydantic.
        overrides: Settings that the command named.
        file: The configuration file in force.
        fields: All settings; the value of one that is a secret, or of none that there is, is not shown.
    """
    name = ".".join(map(str, first["loc"]))
    top = str(first["loc"][0]) if first["loc"] else ""
    variable = f"LAKESHELF_{top.upper().removeprefix('LAKESHELF_')}"
    place: object = file
    if overrides.get(top) is not None:
        place = "the command"
    elif place is None or variable in os.environ:
        place = f"the environment ({variable})"
    if first["type"] == "extra_forbidden":
        near = difflib.get_close_matches(name, fields, n=1)
        meant = f"did you mean {near[0]}? " if near else ""
        return ConfigurationError(
            f"setting {name} is none that there is", hint=f"{meant}correct it in {place}"
        )
    is_secret = top in fields and "SecretStr" in str(fields[top].annotation)
    shown = "" if is_secret else f" = {_USER.sub('//***@', repr(first.get('input')))}"
    return ConfigurationError(
        f"setting {name}{shown}: {first['msg']}", hint=f"correct it in {place}"
    )


def require_text(name: str, content: Any, *, is_place: bool) -> None:
    """Refuse a text that no file, client or message can hold; it is not shown, since it may be a secret.

    Args:
        name: The setting.
        content: Its value.
        is_place: Whether it names a file or folder, which may be of any bytes but NUL.

    Raises:
        ConfigurationError: It holds a NUL, or is no UTF-8.
    """
    if not isinstance(content, str):
        return
    problem = "holds a NUL" if "\0" in content else ""
    if not problem and not is_place and any("\ud800" <= letter <= "\udfff" for letter in content):
        problem = "is no UTF-8 text"
    if problem:
        raise ConfigurationError(f"setting {name} {problem}", hint="write it anew")


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
