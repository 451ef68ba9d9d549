"""Settings that are places: folders, files, and addresses of object stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

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


def _callable(address: str | None) -> str | None:
    """An address of HTTP that a client can call; other texts are not judged."""
    if address is None or not address.startswith(("http://", "https://")):
        return address
    problem = "it holds a blank" if re.search(r"\s", address) else ""
    try:
        parts = urlsplit(address)
        problem = problem or (
            "" if parts.hostname and parts.port != 0 else "it names no host, or port 0"
        )
    except ValueError:
        problem = "its port or host cannot be"
    if problem:
        raise ValueError(f"{problem}; write it such as http://host:8080")
    return address


def _host_and_port(text: str | None) -> str | None:
    """Host and port at which somebody can listen."""
    if text is not None and not 0 < int(text.rpartition(":")[2]) < 65_536:
        raise ValueError("its port cannot be; write it such as 0.0.0.0:9092")
    return text


HostAndPort = AfterValidator(_host_and_port)
Web = AfterValidator(_callable)
Place = Annotated[Path, BeforeValidator(_named)]
