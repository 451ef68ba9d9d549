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
└── StorageError     disk, permissions, network, credentials                OSError
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from lakeshelf.errors import ConfigurationError, LakeError
from lakeshelf.lake import object_store_errors


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


class StorageError(LakeError, OSError):
    """Disk, permissions, network or credentials."""


_TYPES: tuple[tuple[type[Exception], type[LakeError], str], ...] = (
    (TableNotFoundError, NotFound, "`lakeshelf lake ls` lists the tables"),
    (SchemaMismatchError, SchemaError, "compare the columns with the table's"),
    (CommitFailedError, Conflict, "read the table again and repeat the change"),
    (DeltaProtocolError, FeatureRefused, "upgrade Lakeshelf, or write it with Spark"),
)
_TEXTS: tuple[tuple[str, type[LakeError], str], ...] = (
    (
        "Generic LocalFileSystem error",
        StorageError,
        "check room and permissions of the disk; nothing was committed",
    ),
    ("validation check", KeyViolation, "correct the rows; nothing was written"),
    ("constraint", KeyViolation, "correct the rows; nothing was written"),
    ("Invariant violations", KeyViolation, "correct the rows; nothing was written"),
    ("No field named", SchemaError, "`lakeshelf lake ls` shows the columns"),
    ("already exists", Conflict, "read the table again and repeat the change"),
    ("Change Data not enabled", FeatureRefused, "switch the change feed on, or read all rows"),
    ("catalog-managed", FeatureRefused, "read it with Spark, through its catalogue"),
    ("Unsupported", FeatureRefused, "`lakeshelf lake features` says who can"),
    ("No such file", Vacuumed, "read a later version; `lakeshelf lake doctor` tells damage"),
    ("not found", Vacuumed, "read a later version; `lakeshelf lake doctor` tells damage"),
    ("Permission denied", StorageError, "check the permissions of the folder"),
    ("No space left", StorageError, "free some space; nothing was committed"),
    ("Object Store", StorageError, "check the address, the network and the credentials"),
    ("Generic S3 error", StorageError, "check the address, the network and the credentials"),
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@contextmanager
def explained(what: str, otherwise: type[LakeError] = Damaged) -> Iterator[None]:
    """Turn what libraries raise into the errors of this module.

    Args:
        what: What was tried, with the dataset's name.
        otherwise: The error of what nothing else fits.
    """
    try:
        yield
    except (LakeError, ConfigurationError):
        raise
    except Exception as error:
        raise translated(error, what, otherwise) from error


def translated(error: Exception, what: str, otherwise: type[LakeError] = Damaged) -> LakeError:
    """The error of this module that fits: what a store answers first, then by type, by the text of a message last."""
    if (refused := object_store_errors.told(str(error))) is not None:
        cause, hint = refused
        return StorageError(f"{what}: {cause}", hint=hint)
    if "append-only" in str(error):  # by its type a conflict, which trying again never ends
        return FeatureRefused(f"{what}: {first_line(error)}", hint="append to it")
    for kind, ours, hint in _TYPES:
        if isinstance(error, kind):
            return ours(f"{what}: {first_line(error)}", hint=hint)
    for text, ours, hint in _TEXTS:
        if text.lower() in str(error).lower():
            return ours(f"{what}: {first_line(error)}", hint=hint)
    if isinstance(error, OSError) and not isinstance(error, DeltaError):
        return StorageError(f"{what}: {first_line(error)}", hint="check disk and permissions")
    return otherwise(f"{what}: {first_line(error)}", hint="run `lakeshelf lake doctor`")


def first_line(error: BaseException) -> str:
    """The first line of a message, without what follows it and the colours of a terminal."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return _COLOUR.sub("", line).strip()
