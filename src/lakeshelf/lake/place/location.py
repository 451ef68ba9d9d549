"""Where a lake is: a folder or a bucket. Tables are below it by name, so a moved lake is the same lake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lakeshelf.addresses import MASK, SECRET, is_address, unusable, without_credentials
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.place import object_stores


@dataclass(frozen=True)
class Root:
    """The root of a lake.

    Attributes:
        uri: Absolute folder, or an address such as `s3://bucket/prefix`.
        storage_options: What the user gives to reach it; what is not here comes from the environment, a profile or
            the instance's role (`lakeshelf.lake.place.object_stores`). Never shown.
    """

    uri: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def at(cls, place: Root | Path | str, storage_options: Mapping[str, str] | None = None) -> Root:
        """The root at a folder or address.

        Raises:
            ConfigurationError: An address that names no bucket, or holds credentials; a path that not every engine
                takes as it is.
        """
        if isinstance(place, Root):
            return place
        text = str(place)
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        if is_address(text):
            return cls(_checked(text).rstrip("/"), dict(storage_options or {}))
        return cls(_folder(str(Path(text).absolute())), dict(storage_options or {}))

    @property
    def folder(self) -> Path | None:
        """The folder of a local lake; None for an object store."""
        return None if is_address(self.uri) else Path(self.uri)

    @property
    def options(self) -> dict[str, str] | None:
        """Storage options as delta-rs takes them.

        Raises:
            ConfigurationError: A profile that is not there, or an endpoint without encryption.
        """
        if self.uri.startswith(("s3://", "s3a://")):
            return object_stores.options(self.storage_options)
        return dict(self.storage_options) or None

    def of(self, path: str) -> str:
        """Address of what lies at a path below the root."""
        return f"{self.uri}/{path}"

    def for_spark(self, path: str) -> str:
        """Address of what lies at a path below the root, as Hadoop has it."""
        return self.of(path).replace("s3://", "s3a://", 1) if self.folder is None else self.of(path)

    def __str__(self) -> str:
        return without_credentials(self.uri)


Place = Root | Path | str
"""A root of a lake as it may be given."""


def _folder(path: str) -> str:
    if part := unusable(path):
        raise ConfigurationError(
            f"no lake can be in the folder {path!r}, with {part} in its path",
            hint="name another folder",
        )
    return path


def _checked(address: str) -> str:
    netloc = urlsplit(address).netloc
    if "@" in netloc:
        raise ConfigurationError(
            f"credentials stand in the address {without_credentials(address)}",
            hint="give them as storage options, AWS_* variables or a profile",
        )
    if not netloc:
        raise ConfigurationError(f"{address} names no bucket", hint="write s3://bucket/prefix")
    if spoilt := next((sign for sign in "#?%" if sign in address), ""):
        raise ConfigurationError(
            f"no lake can be at {address}, with {spoilt!r} in it",
            hint="name another prefix, as it is called in the bucket",
        )
    return address


def masked(options: Mapping[str, str]) -> dict[str, str]:
    """Storage options that may be shown."""
    return {name: MASK if SECRET.search(name) else value for name, value in options.items()}
