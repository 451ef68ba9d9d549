"""What every commit says of itself: who, why, in which run, over which schema."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import deltalake

from lakeshelf.lake.place.errors import NameRefused, SchemaError

STAMP = "lakeshelf"
RESERVED = frozenset(
    {
        STAMP,
        "clientVersion",
        "clusterId",
        "engineInfo",
        "inCommitTimestamp",
        "isBlindAppend",
        "isolationLevel",
        "job",
        "notebook",
        "operation",
        "operationMetrics",
        "operationParameters",
        "readVersion",
        "timestamp",
        "txnId",
        "userId",
        "userMetadata",
        "userName",
        "version",
    }
)
"""Keys that Delta's own commit information has, and ours."""


@dataclass(frozen=True)
class Stamp:
    """Who commits, and why.

    Attributes:
        who: Person or process.
        why: Reason, in words; may be empty.
        run_id: Run that the commit belongs to; None: none.
        runtime: Runtime profile: versions of what wrote.
        schema: Fingerprint of the schema that was written.
        order_by: Columns that decide which of two rows of a key is newer.
    """

    who: str
    why: str = ""
    run_id: str | None = None
    runtime: str = ""
    schema: str = ""
    order_by: tuple[str, ...] = ()

    def of(self, schema: str, order_by: Sequence[str] = ()) -> Stamp:
        """The stamp of one commit."""
        return replace(self, schema=schema, order_by=tuple(order_by))


def stamp(who: str | None = None, why: str = "", run_id: str | None = None) -> Stamp:
    """The stamp of this process."""
    return Stamp(who or _user(), why, run_id, runtime_profile())


@cache
def runtime_profile() -> str:
    """Versions of Python and delta-rs, and the operating system."""
    return f"python {platform.python_version()}, deltalake {deltalake.__version__}, {platform.system().lower()}"


def encoded(stamped: Stamp, metadata: Mapping[str, Any] | None) -> dict[str, str]:
    """Commit metadata as Delta stores it: text.

    Raises:
        NameRefused: A key is reserved, or no text.
        SchemaError: A value is no JSON.
    """
    own = {STAMP: json.dumps(asdict(stamped), separators=(",", ":"))}
    if metadata is not None and not isinstance(metadata, Mapping):
        raise SchemaError(f"commit metadata is {metadata!r}", hint="give {name: JSON value}")
    return own | {_allowed(key): _as_json(key, value) for key, value in (metadata or {}).items()}


def decoded(entry: Mapping[str, Any]) -> tuple[Stamp | None, dict[str, Any]]:
    """Stamp and metadata of an entry of the history; what others wrote stays as they wrote it."""
    stamped = None
    if STAMP in entry:
        fields = json.loads(entry[STAMP])
        stamped = Stamp(**fields | {"order_by": tuple(fields["order_by"])})
    own = {key: value for key, value in entry.items() if key not in RESERVED}
    return stamped, {k: _value(v) if stamped else v for k, v in own.items()}


def _as_json(key: str, value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise SchemaError(
            f"commit metadata {key!r} is no JSON: {error}",
            hint="give texts, numbers, lists and mappings of them",
        ) from error


def custom(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Custom metadata of a commit, which delta-rs keeps as a key each and Spark as one text."""
    _, own = decoded(entry)
    words = _value(entry.get("userMetadata"))
    return {**own, **words} if isinstance(words, dict) else own


def _allowed(key: str) -> str:
    if not isinstance(key, str):
        raise NameRefused(f"commit metadata cannot be named {key!r}", hint="name it by a text")
    if key in RESERVED or key.startswith("delta."):
        raise NameRefused(f"commit metadata cannot be named {key!r}", hint="choose another key")
    return key


def _value(text: Any) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _user() -> str:
    import getpass  # noqa: PLC0415 - slow to import

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
