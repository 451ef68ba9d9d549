"""Claims: a lake whose locks are elsewhere belongs to the one folder of local state that has claimed it.

Locks are files, so that they keep processes of one machine apart. A lake in a bucket is reached from many; the
first driver leaves the name of its state folder in it, by a commit that only one can make, and others are refused.
"""

from __future__ import annotations

import json
import socket
import uuid
from contextlib import suppress
from pathlib import Path

from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from lakeshelf.errors import LakeError, first_line
from lakeshelf.files import NO_JSON, content_of, write_atomically
from lakeshelf.lake.place.errors import Conflict, StorageError, explained
from lakeshelf.lake.place.location import Place, Root

CLAIM = "_claim"
"""Delta table, below the root, whose description is the claim."""
IDENTITY = "state.json"


def claim(root: Place, state_dir: Path) -> None:
    """Make a lake that of a folder of local state; a lake that holds its locks itself needs no claim.

    Args:
        root: Root of the lake.
        state_dir: The folder; the caller holds a lock in it.

    Raises:
        Conflict: Another folder has claimed the lake.
        StorageError: The lake cannot be written.
    """
    place = Root.at(root)
    if place.folder == state_dir.absolute():
        return
    ours = {
        "id": identity(state_dir / IDENTITY),
        "host": socket.gethostname(),
        "folder": str(state_dir.absolute()),
    }
    with explained(f"{place} cannot be claimed", StorageError):
        if not DeltaTable.is_deltatable(place.of(CLAIM), place.options):
            _create(place, json.dumps(ours))
        description = (
            DeltaTable(place.of(CLAIM), storage_options=place.options).metadata().description
        )
    held = json.loads(description or "{}")
    if held.get("id") != ours["id"]:
        raise Conflict(
            f"the jobs of {place} run with {held.get('folder')} on {held.get('host')}, not with {ours['folder']}",
            hint=f"run them there; if that folder is lost, remove {CLAIM} there and run `lakeshelf rebuild`",
        )


def _create(place: Root, description: str) -> None:
    with suppress(LakeError), explained(f"{place} was claimed by another meanwhile", Conflict):
        DeltaTable.create(
            place.of(CLAIM),
            schema=Schema([Field("id", PrimitiveType("string"))]),
            description=description,
            storage_options=place.options,
        )


def identity(file: Path) -> str:
    """Name of a state folder: it goes with the folder when that is moved.

    Raises:
        StorageError: The file cannot be read, or holds none.
    """
    if not file.exists():
        write_atomically(file, json.dumps({"id": uuid.uuid4().hex}).encode())
    try:
        return str(json.loads(content_of(file))["id"])
    except (OSError, *NO_JSON, TypeError, KeyError) as error:
        raise StorageError(
            f"{file} names no state folder ({first_line(error)})",
            hint=f"bring it back from a backup; without one remove it, and {CLAIM} from the lake, while nothing runs",
        ) from error
