"""Tables with features that no writer here has, written by hand after Delta's protocol."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_PORTABLE, _NO_RUNS = 1681511377, 12346


def table(folder: Path, *, mapped: bool = False, deleted: Sequence[int] = ()) -> None:
    """Rows 0 to 9 of (id, s), with column mapping by name, with a deletion vector in version 1, or with both."""
    (folder / "_delta_log").mkdir(parents=True)
    names = {name: f"col-{name}-1f" if mapped else name for name in ("id", "s")}
    _rows(folder / "part.parquet", names)
    add = {
        "path": "part.parquet",
        "partitionValues": {},
        "size": (folder / "part.parquet").stat().st_size,
        "modificationTime": 0,
        "dataChange": True,
        "stats": '{"numRecords":10}',
    }
    _commit(folder, 0, *_header(names, mapped, bool(deleted)), {"add": add})
    if deleted:
        remove = {"path": "part.parquet", "deletionTimestamp": 1, "dataChange": True}
        vector = {"deletionVector": _inline(deleted)}
        _commit(folder, 1, {"remove": remove}, {"add": add | vector})


def _rows(path: Path, names: dict[str, str]) -> None:
    columns = [pa.array(range(10), pa.int64()), pa.array([f"v{n}" for n in range(10)])]
    fields = [
        pa.field(name, column.type, metadata={"PARQUET:field_id": str(place)})
        for place, (name, column) in enumerate(zip(names.values(), columns, strict=True), 1)
    ]
    parquet.write_table(pa.table(columns, schema=pa.schema(fields)), path)


def _header(names: dict[str, str], mapped: bool, vectors: bool) -> list[dict[str, Any]]:
    features = ["columnMapping"] * mapped + ["deletionVectors"] * vectors
    configuration = {"delta.enableDeletionVectors": "true"} if vectors else {}
    if mapped:
        configuration |= {
            "delta.columnMapping.mode": "name",
            "delta.columnMapping.maxColumnId": "2",
        }
    fields = [
        {
            "name": name,
            "type": kind,
            "nullable": True,
            "metadata": {
                "delta.columnMapping.id": place,
                "delta.columnMapping.physicalName": names[name],
            }
            if mapped
            else {},
        }
        for place, (name, kind) in enumerate((("id", "long"), ("s", "string")), 1)
    ]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": features,
        "writerFeatures": features,
    }
    metadata = {
        "id": "7d8f5d80-0000-4000-8000-000000000001",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": [],
        "configuration": configuration,
        "createdTime": 0,
    }
    return [{"protocol": protocol}, {"metaData": metadata}]


def _inline(deleted: Sequence[int]) -> dict[str, Any]:
    """A deletion vector in the log: a roaring bitmap of one container, in Z85."""
    bitmap = struct.pack("<IIHHI", _NO_RUNS, 1, 0, len(deleted) - 1, 16)
    bitmap += b"".join(struct.pack("<H", row) for row in sorted(deleted))
    raw = struct.pack("<IQI", _PORTABLE, 1, 0) + bitmap
    return {
        "storageType": "i",
        "pathOrInlineDv": _z85(raw),
        "sizeInBytes": len(raw),
        "cardinality": len(deleted),
    }


def _z85(raw: bytes) -> str:
    padded, text = raw + bytes(-len(raw) % 4), ""
    for start in range(0, len(padded), 4):
        value = int.from_bytes(padded[start : start + 4], "big")
        digits = [_Z85[value // 85**power % 85] for power in (4, 3, 2, 1, 0)]
        text += "".join(digits)
    return text


def _commit(folder: Path, version: int, *actions: dict[str, Any]) -> None:
    info = {"commitInfo": {"timestamp": 1_700_000_000_000 + version, "operation": "WRITE"}}
    lines = [json.dumps(action) for action in (*actions, info)]
    (folder / "_delta_log" / f"{version:020d}.json").write_text("\n".join(lines))
