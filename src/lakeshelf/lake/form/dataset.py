"""Datasets: what a name stands for, as frozen records, and the catalogue of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from lakeshelf.contracts import CATALOG, Catalog, Table
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import delta as delta_contract
from lakeshelf.contracts.model import PROFILES, Profile
from lakeshelf.lake.form.schemas import fingerprint
from lakeshelf.lake.place import names, projects
from lakeshelf.lake.place.errors import NameRefused, SchemaError, TimeOutOfRange
from lakeshelf.lake.place.location import masked

Writers = Literal["one", "many"]
LIBRARY = "library"
"""Owner of tables that every process may write through the library."""
PROPERTY = "lakeshelf."
"""Prefix of the table properties that say of a dataset what Delta has no word for."""


@dataclass(frozen=True)
class Dataset:
    """What a name stands for.

    Attributes:
        name: `layer/name`.
        schema: Columns; None: whatever the table has.
        key: Columns that identify a row; empty: rows have no identity.
        partition_by: Partition columns.
        profile: Which properties its table has (`lakeshelf.contracts.delta`).
        constraints: Name → SQL of checks.
        properties: Delta properties of its table.
        writers: `one` (its owner's process, for life) or `many` (anybody, by optimistic commits).
        owner: Who writes it.
        doc: What it holds.
        storage_options: What reaches its table, where it differs from the lake's; never shown.
        pin: Version or time at which it is always read; None: the latest.
        path: Path of its table below the lake's root: its name, or the place of a project's dataset
            (`lakeshelf.lake.place.projects`); empty: its name.
    """

    name: str
    schema: pa.Schema | None = None
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    profile: Profile = "shared"
    constraints: Mapping[str, str] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)
    writers: Writers = "many"
    owner: str = LIBRARY
    doc: str = ""
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    pin: int | datetime | None = None
    path: str = ""

    def __post_init__(self) -> None:
        names.checked(self.name)
        object.__setattr__(self, "path", _path(self.name, self.path))
        for part in ("key", "partition_by"):
            listed = names.columns(getattr(self, part), f"the {part} of {self.name}")
            object.__setattr__(self, part, listed)
        if self.profile not in PROFILES:
            raise SchemaError(
                f"{self.name} has no profile {self.profile!r}",
                hint=f"there are {', '.join(PROFILES)}",
            )

    def pinned(self, at: int | datetime) -> Dataset:
        """The same dataset, always read at a version or a time."""
        if isinstance(at, datetime) and at.tzinfo is None:
            raise TimeOutOfRange(f"{at.isoformat()} has no zone", hint="give the time with a zone")
        return replace(self, pin=at)

    def as_json(self) -> dict[str, Any]:
        """The record as JSON, credentials masked."""
        shown: dict[str, Any] = {
            "name": self.name,
            "path": self.path,
            "columns": [[f.name, str(f.type)] for f in self.schema or ()],
            "schema_fingerprint": fingerprint(self.schema) if self.schema is not None else None,
            "key": list(self.key),
            "partition_by": list(self.partition_by),
            "profile": self.profile,
            "constraints": dict(sorted(self.constraints.items())),
            "writers": self.writers,
            "owner": self.owner,
        }
        if self.storage_options:
            shown["storage_options"] = masked(self.storage_options)
        if self.pin is not None:
            shown["pin"] = self.pin.isoformat() if isinstance(self.pin, datetime) else self.pin
        return shown


class Datasets(Mapping[str, Dataset]):
    """A frozen catalogue of datasets by name."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self._datasets = {dataset.name: dataset for dataset in datasets}

    @classmethod
    def of_contracts(cls, catalog: Catalog = CATALOG) -> Datasets:
        """The datasets of a catalogue of contracts."""
        return cls(of_contract(table) for table in catalog.tables.values())

    def with_also(self, *datasets: Dataset) -> Datasets:
        """A catalogue that has these too; one of a name that is known replaces it."""
        return Datasets((self._datasets | {d.name: d for d in datasets}).values())

    def __getitem__(self, name: str) -> Dataset:
        if names.checked(name) not in self._datasets:
            raise names.unknown(name, self._datasets)
        return self._datasets[name]

    def __contains__(self, name: object) -> bool:
        return name in self._datasets

    def __iter__(self) -> Iterator[str]:
        return iter(self._datasets)

    def __len__(self) -> int:
        return len(self._datasets)

    def to_json(self) -> str:
        """The catalogue as JSON that is the same for the same catalogue; credentials are masked."""
        listed = [self._datasets[name].as_json() for name in sorted(self._datasets)]
        return json.dumps(listed, indent=1, sort_keys=True)


def _path(name: str, path: str) -> str:
    """The path of a dataset, from which its name can be told.

    Raises:
        NameRefused: It is another's, or nobody's.
    """
    if path in ("", name) or projects.named(path) == name:
        return path or name
    own = f" or {projects.main(name)}" if projects.may_be(name) else ""
    raise NameRefused(f"{path!r} is no path of {name}", hint=f"its table lies in {name}{own}")


def of_contract(table: Table) -> Dataset:
    """The dataset of a table's contract."""
    return Dataset(
        name=table.name,
        schema=arrow_contract.schema(table.columns),
        key=table.key,
        partition_by=table.partition_by,
        profile=table.profile,
        constraints=delta_contract.constraints(table),
        properties=delta_contract.properties(table),
        writers="many" if table.owner == LIBRARY else "one",
        owner=table.owner,
        doc=table.doc,
    )
