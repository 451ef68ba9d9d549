"""`config`: the settings in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakeshelf.addresses import is_address, without_credentials
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import AsJson, add, console, grid, print_json

if TYPE_CHECKING:
    from lakeshelf.settings import Settings


def config(*, as_json: AsJson = False) -> None:
    """Print the settings in force, secrets masked."""
    from lakeshelf.settings import Settings, config_file  # noqa: PLC0415 - pydantic is slow to import

    settings = access.plain()
    if as_json:
        print_json({name: settings_value(settings, name) for name in Settings.model_fields})
        return
    table = grid("setting", "value", "meaning")
    for name, field in Settings.model_fields.items():
        add(table, f"LAKESHELF_{name.upper()}", settings_value(settings, name), field.description)
    console().print(table)
    console().print(
        f"file: {config_file() or 'none (LAKESHELF_CONFIG or lakeshelf.toml)'}", soft_wrap=True
    )


def settings_value(settings: Settings, name: str) -> Any:
    """One setting as plain data; a secret as stars, also one in an address."""
    value = settings.model_dump(mode="json")[name]
    return without_credentials(value) if isinstance(value, str) and is_address(value) else value
