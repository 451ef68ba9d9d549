"""Errors of the lake, each with what failed, with which value, and the way out.

LakeError (a LakeshelfError: one line, exit code 1)
├── NotFound         no dataset of that name, or no table at its place      LookupError
├── VersionNotFound  a version that the table does not have                 LookupError
├── TimeOutOfRange   a time before the first commit, in the future, naive   ValueError
├── SchemaError      columns or types that do not fit                       ValueError
├── KeyViolation     null or ambiguous keys, broken constraints             ValueError
├── PredicateError   a condition that names no column or has a wrong type   ValueError
├── NameRefused      a name that could be a path or SQL                     ValueError
├── FeatureRefused   a table feature that a registered engine lacks         ValueError
├── Vacuumed         files of an old version are gone                       LookupError
├── Damaged          a log or file that cannot be read                      OSError
├── Conflict         somebody else writes, or has written, the table        OSError
│   └── LeaseLost    another driver has taken over the query
└── StorageError     disk, permissions, network, credentials                OSError
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from lakeshelf.errors import (
    FORBIDDEN,
    FULL,
    ConfigurationError,
    LakeError,
    first_line,
    refused,
)
from lakeshelf.lake.place import object_store_errors


class NotFound(LakeError, LookupError):
    """No dataset of that name, or no table at its place."""


class VersionNotFound(LakeError, LookupError):
    """A version that the table does not have."""


class TimeOutOfRange(LakeError, ValueError):
    """A time that no version belongs to."""


class SchemaError(LakeError, ValueError):
    """Columns or types that do not fit."""


class KeyViolation(LakeError, ValueError):
    """Null or ambiguous keys, or rows that break a constraint."""


class PredicateError(LakeError, ValueError):
    """A condition that cannot be."""


class NameRefused(LakeError, ValueError):
    """A name that could be a path or SQL."""


class FeatureRefused(LakeError, ValueError):
    """A table feature that one of the registered engines cannot handle."""


class Vacuumed(LakeError, LookupError):
    """Files of an old version are gone."""


class Damaged(LakeError, OSError):
    """A log or a data file that cannot be read."""


class Conflict(LakeError, OSError):
    """Somebody else writes, or has written, the table."""


class LeaseLost(Conflict):
    """Another driver has taken over the query."""


class StorageError(LakeError, OSError):
    """Disk, permissions, network or credentials."""


_TYPES: tuple[tuple[type[Exception], type[LakeError], str], ...] = (
    (TableNotFoundError, NotFound, "`lakeshelf lake ls` lists the tables"),
    (SchemaMismatchError, SchemaError, "compare the columns with the table's"),
    (CommitFailedError, Conflict, "read the table again and repeat the change"),
    (DeltaProtocolError, FeatureRefused, "upgrade Lakeshelf, or write it with Spark"),
)
_Ways = tuple[tuple[str, type[LakeError], str], ...]
_STORES: _Ways = (
    (r"No space left|Disk quota", StorageError, "free some space; nothing was committed"),
    (
        r"Generic LocalFileSystem error",
        StorageError,
        "check room and permissions of the disk; nothing was committed",
    ),
    (r"Permission denied", StorageError, "check the permissions of the folder"),
    (
        r"Generic S3 error",
        StorageError,
        "check the address, the network and the credentials",
    ),
)
"""What stores say, wherever it happens."""
_UNSUPPORTED = (
    r"Unsupported",
    FeatureRefused,
    "upgrade Lakeshelf, or use Spark; `lakeshelf lake features` says who can",
)
_READING: _Ways = (
    (
        r"Change Data not enabled",
        FeatureRefused,
        "switch the change feed on, or read all rows",
    ),
    (r"catalog-managed", FeatureRefused, "read it with Spark, through its catalogue"),
    _UNSUPPORTED,
    (
        r"No such file|not found",
        Vacuumed,
        "read a later version; `lakeshelf lake doctor` tells damage",
    ),
    (
        r"^(Error during planning|This feature is not implemented|SQL error|Schema error)"
        r"|Optimizer rule|type_coercion|Cannot cast|Invalid comparison",
        LakeError,
        "this cannot be asked of the table; read all of it and choose there",
    ),
)
_WRITING: _Ways = (
    # By its type a conflict, which trying again never ends.
    (r"table is append-only|only append", FeatureRefused, "append to it"),
    (
        r"failed validation check|Invariant violations|Check or Invariant",
        KeyViolation,
        "correct the rows; nothing was written",
    ),
    (r"No field named", SchemaError, "`lakeshelf lake ls` shows the columns"),
    (
        r"Find missing file",
        Vacuumed,
        "choose a later version; `lakeshelf lake history` lists them",
    ),
    (r"already exists", Conflict, "read the table again and repeat the change"),
    _UNSUPPORTED,
    (
        r"No such file|not found",
        Damaged,
        "a file of the latest version is gone; run `lakeshelf lake doctor`",
    ),
)
_PLACES: dict[type[LakeError], _Ways] = {Damaged: _READING, LakeError: _WRITING}
"""What a place is named after → what may be wrong there, by the words of delta-rs, which has few types."""
_PROGRAMMING = (
    AssertionError, AttributeError, LookupError, NameError, NotImplementedError, RecursionError,
    TypeError,
)  # fmt: skip
_DUMP = re.compile(r":? [A-Z]\w+ \{ .*")
"""What a library writes of its own structures, which nobody can read."""
_WRAPPED = re.compile(r"^(?:[A-Z][\w ]*: )+(?=Generic LocalFileSystem error)")
"""What a library says of what it was at when the disk refused: no file is at fault."""
_QUOTED = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\S*/\S*""")


@contextmanager
def explained(what: str, otherwise: type[LakeError] = Damaged) -> Iterator[None]:
    """Turn what libraries raise into the errors of this module; faults of a program pass as they are.

    Args:
        what: What was tried, with the dataset's name.
        otherwise: What nothing else fits, which says where it happens: `Damaged` where a table is read, `LakeError`
            where it is written, `StorageError` among files.
    """
    try:
        yield
    except (LakeError, ConfigurationError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, _PROGRAMMING) and not isinstance(error, pa.ArrowException):
            raise
        raise translated(error, what, otherwise) from error


def translated(error: Exception, what: str, otherwise: type[LakeError] = Damaged) -> LakeError:
    """The error of this module that fits: what a store answers first, then by place, by type, and by words last.

    Words count in the first line alone, and not within quotes or a path: what a user named is no reason.
    """
    if (by_store := object_store_errors.cause_and_hint(str(error))) is not None:
        cause, hint = by_store
        return StorageError(f"{what}: {cause}", hint=hint)
    if isinstance(error, OSError) and error.errno in (*FULL, *FORBIDDEN):
        said, hint = refused(error)
        return StorageError(f"{what}: {said}", hint=f"{hint}; nothing was committed")
    ways = (*_STORES, *_PLACES.get(otherwise, ()))
    said = _reason(error)
    words = _QUOTED.sub("", said)
    by_words = next(((k, h) for text, k, h in ways if re.search(text, words)), None)
    by_type = next(((k, h) for such, k, h in _TYPES if isinstance(error, such)), None)
    matches = (
        (by_words, by_type) if by_words and by_words[0] is FeatureRefused else (by_type, by_words)
    )
    kind, hint = matches[0] or matches[1] or _unknown(error, otherwise)
    return kind(f"{what}: {said}", hint=hint)


def _reason(error: Exception) -> str:
    """What an error says in one line; of a disk also the last of the causes that delta-rs writes below it."""
    first = _WRAPPED.sub("", _DUMP.sub("", first_line(error)))
    if not first.startswith("Generic LocalFileSystem error"):
        return first
    *_, last = re.split(r"↳(?:\x1b\[0m)?\s*", str(error).strip())
    return f"{first}: {last}" if last != str(error).strip() else first


def _unknown(error: Exception, otherwise: type[LakeError]) -> tuple[type[LakeError], str]:
    """What an error is that no rule knows: damage only where a table's own reader failed."""
    if isinstance(error, OSError) and not isinstance(error, DeltaError | pa.ArrowException):
        return StorageError, "check disk and permissions"
    if otherwise is Damaged and not isinstance(error, DeltaError | pa.ArrowException):
        return LakeError, "read it with another engine, or report it"
    return otherwise, "run `lakeshelf lake doctor`"
