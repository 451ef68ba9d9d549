"""Kafka components of the checkout, found by the name of their folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lakeshelf.errors import ConfigurationError
from lakeshelf.streams.registry import load


def component(home: Path, name: str) -> Any:
    """The module of a component: `kafka-components/<name>/<name with underscores>.py`.

    Raises:
        ConfigurationError: There is no such component.
    """
    folder = home / "kafka-components" / name
    file = folder / f"{name.replace('-', '_')}.py"
    if not file.is_file():
        raise ConfigurationError(
            f"no component {name} at {file}", hint="set LAKESHELF_HOME to the checkout"
        )
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return load(file)
