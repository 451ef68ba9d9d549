"""Settings that are places: folders, files, and addresses of object stores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator

from lakeshelf.addresses import is_address, unusable, without_credentials
from lakeshelf.errors import ConfigurationError


def folder_or_address(place: Any) -> Any:
    """A place as it is kept: a path would make one slash of two."""
    if not isinstance(place, str | Path):
        return place
    if not is_address(_named(place)):
        return _folder(Path(place))
    place = str(place)
    if "@" in urlsplit(place).netloc:
        raise ConfigurationError(
            f"setting lake_root = {without_credentials(place)} holds credentials",
            hint="give them as AWS_* variables or a profile",
        )
    return place.rstrip("/")


def _named(place: Any) -> Any:
    """A place that is named: an empty text would be the current folder."""
    if place == "":
        raise ValueError("a place has a name; leave the setting out for its default")
    return place


def _folder(folder: Path) -> Path:
    if part := unusable(str(folder.absolute())):
        raise ConfigurationError(
            f"setting lake_root = {str(folder)!r}: no lake can be in a folder with {part} in its path",
            hint="name another folder",
        )
    return folder


Place = Annotated[Path, BeforeValidator(_named)]
