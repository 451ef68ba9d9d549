"""Declarations: what `bronze/<name>/_dataset.toml` (or `.json`) says of the files beside it.

```toml
dataset = "silver/pos_sales"   # unset: silver/<name>
zone = "Europe/Berlin"         # of the day of an event; unset: UTC
zones = { S2 = "Europe/London" }
time = "event_time"            # unset: event_time
key = ["sale_id"]
partition_by = ["store_id", "date"]
delimiter = ";"                # what else a `Dialect` has
decimal = ","

[columns]                      # unset: as the table has them, or inferred
sale_id = { type = "string", required = true }
amount = { type = "decimal(12,2)", minimum = 0 }
store_id = "string"
```
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import types
from lakeshelf.contracts.layers import SILVER
from lakeshelf.errors import ContractError
from lakeshelf.ingestion.declared import dialect
from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.spec import TIME, FileColumn
from lakeshelf.ingestion.domain.casting import typed
from lakeshelf.ingestion.errors import DeclarationError
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import NameRefused

FILES = ("_dataset.toml", "_dataset.json")

_DECIMAL = re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)")
_SETTINGS: Mapping[str, type] = {
    **dict.fromkeys(("dataset", "zone", "time", "doc"), str),
    **dict.fromkeys(("key", "partition_by"), list),
    **dict.fromkeys(("zones", "columns"), dict),
    **dialect.SETTINGS,
}
_CALLED = {
    types.STRING.name: "string str text char varchar utf8 large_string large_utf8 string_view",
    types.LONG.name: "bigint int integer long short byte tinyint smallint int8 int16 int32 int64 "
    "uint8 uint16 uint32 uint64",
    types.DOUBLE.name: "double float real number halffloat float16 float32 float64",
    types.BOOLEAN.name: "boolean bool",
    types.DATE.name: "date date32 date64",
    types.TIMESTAMP.name: "timestamp timestamptz datetime timestamp_ntz timestamp_ltz",
    types.BINARY.name: "binary blob bytea bytes varbinary large_binary",
    "decimal(p,s)": "decimal dec numeric money decimal32 decimal64 decimal128 decimal256",
}
"""Type → what it is called here, in SQL and in Arrow."""
_RULES = ("type", "required", "optional", "minimum", "maximum", "enum")


@dataclass(frozen=True)
class Declaration:
    """What is declared of the files of a folder.

    Attributes:
        dataset: Dataset that they load into.
        columns: Columns; None: as the table has them, or inferred.
        key: Columns of the key.
        partition_by: Partition columns; None: (`store_id`, `date`) of events, else none.
        time: Column that `date` comes from.
        zone: Zone of that day.
        zones: Store → zone.
        dialect: How the text of its files is written.
        doc: What the dataset holds.
    """

    dataset: str
    columns: tuple[FileColumn, ...] | None = None
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] | None = None
    time: str = TIME
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = PLAIN
    doc: str = ""


def parsed(content: bytes, file: str, folder: str) -> Declaration:
    """The declaration that a file holds.

    Args:
        content: The file's content.
        file: Its path, for errors; `.toml` or `.json`.
        folder: Name of the folder below `bronze/`.

    Raises:
        DeclarationError: It is no TOML or JSON, or says what cannot be.
    """
    try:
        text = content.decode("utf-8")
        settings = tomllib.loads(text) if file.endswith(".toml") else json.loads(text)
        if not isinstance(settings, dict):
            raise TypeError("no table of settings")
        return _declaration(settings, folder)
    except (DeclarationError, NameRefused, ContractError, TypeError, ValueError) as error:
        raise DeclarationError(f"{file}: {error}", hint="see docs/ingestion.md") from error


def of_folder(folder: str) -> Declaration:
    """What holds of a folder that declares nothing."""
    return Declaration(names.checked(f"{SILVER}/{folder}"))


def _declaration(settings: dict[str, Any], folder: str) -> Declaration:
    _require_settings(settings)
    columns = settings.get("columns")
    return Declaration(
        dataset=names.checked(settings.get("dataset", f"{SILVER}/{folder}")),
        columns=tuple(_column(n, rules) for n, rules in columns.items()) if columns else None,
        key=tuple(settings.get("key", ())),
        partition_by=tuple(settings["partition_by"]) if "partition_by" in settings else None,
        time=settings.get("time", TIME),
        zone=dialect.zone(settings.get("zone", "UTC")),
        zones={store: dialect.zone(zone) for store, zone in settings.get("zones", {}).items()},
        dialect=dialect.of_settings(settings),
        doc=settings.get("doc", ""),
    )


def _require_settings(settings: dict[str, Any]) -> None:
    for name, value in settings.items():
        if name not in _SETTINGS:
            raise DeclarationError(f"no setting {name!r}; {_near(name)}")
        if type(value) is not _SETTINGS[name]:
            raise DeclarationError(f"{name} = {value!r} is no {_SETTINGS[name].__name__}")
        if isinstance(value, list) and not all(isinstance(entry, str) for entry in value):
            raise DeclarationError(f"{name} = {value!r} is no list of texts")


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, _SETTINGS, n=2)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(_SETTINGS)}"


def _column(name: str, declared: Any) -> FileColumn:
    rules = {"type": declared} if isinstance(declared, str) else declared
    if not isinstance(rules, dict) or set(rules) - set(_RULES) or "type" not in rules:
        raise DeclarationError(f"column {name} = {declared!r}: give {', '.join(_RULES)}")
    kind = data_type(str(rules["type"]))
    bounds = {b: _bound(name, rules[b], kind) for b in ("minimum", "maximum") if b in rules}
    enum = tuple(str(value) for value in rules.get("enum", ()))
    if enum and not pa.types.is_string(kind):
        raise DeclarationError(f"column {name}: enum is for strings")
    return FileColumn(
        name, kind, bool(rules.get("required")), bool(rules.get("optional")), **bounds, enum=enum
    )


def data_type(text: str) -> pa.DataType:
    """The Arrow type of a type as contracts write it, such as `bigint` or `decimal(12,2)`."""
    if match := _DECIMAL.fullmatch(text):
        return arrow_contract.data_type(types.Decimal(int(match[1]), int(match[2])))
    for scalar in types.SCALARS:
        if scalar.name == text:
            return arrow_contract.data_type(scalar)
    listed = ", ".join(scalar.name for scalar in types.SCALARS)
    meant = _meant(text)
    asked = f"did you mean {meant}? " if meant else ""
    raise DeclarationError(f"no type {text!r}; {asked}there are {listed}, decimal(p,s)")


def _meant(text: str) -> str:
    """Our name of a type that SQL or Arrow calls otherwise; empty: nobody does."""
    word = re.split(r"[(\[]", text.strip().lower())[0].strip()
    return next((ours for ours, others in _CALLED.items() if word in others.split()), "")


def _bound(name: str, value: Any, kind: pa.DataType) -> Any:
    try:
        bound = pa.scalar(value, kind) if not pa.types.is_decimal(kind) else _decimal(value, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise DeclarationError(f"column {name}: bound {value!r} is no {kind}") from error
    if not bound.is_valid:
        raise DeclarationError(f"column {name}: bound {value!r} is no {kind}")
    return bound


def _decimal(value: Any, kind: pa.DataType) -> pa.Scalar:
    values, _, _ = typed(pa.array([str(value)]), kind)
    return values[0]
