"""What databases say when they cannot, as one sentence with a way out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lakeshelf.addresses import MASK, without_credentials
from lakeshelf.errors import LakeError, first_line
from lakeshelf.errors import refused as refused_by_system
from lakeshelf.governance.errors import GovernanceError, refused

SETTING = "LAKESHELF_GOVERNANCE_DATABASE"
_WAYS = (
    (
        r"database is locked|lock timeout|QueuePool limit",
        "others write at the moment: try again",
    ),
    (
        r"disk is full|disk I/O error|No space left|could not extend file",
        "free some space where it lies; nothing was written",
    ),
    (
        r"readonly database|read-only|unable to open database|[Pp]ermission denied",
        "check that it may be written",
    ),
    (r"not a database|malformed", f"restore it from a backup, or set {SETTING} to another"),
    (r"authentication failed|does not exist|connection option", f"correct {SETTING}"),
    (r"terminat|server closed|connection is closed|shut", "it was cut off: try again"),
)
_NO_PRIVILEGE = "42501"
_ELSE = f"check that it runs and that {SETTING} names it"


def shown(url: URL) -> str:
    """A database as people may see it: a file, or an address without user, password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    plain = url.set(drivername=url.get_backend_name(), query={})
    return without_credentials(plain.render_as_string(hide_password=False))


@contextmanager
def failures_told(url: URL) -> Iterator[None]:
    """Failures of a database come out as `storage_unavailable`, refusals from within as they are.

    What breaks a constraint or the grammar comes out as it is: that is a mistake of the code.

    Raises:
        GovernanceError: `storage_unavailable`.
    """
    try:
        yield
    except LakeError:  # of the lake: some are errors of the system, too
        raise
    except StatementError as error:
        if isinstance(error.orig, GovernanceError):
            raise error.orig from None
        if _is_mistake(error):
            raise
        raise unavailable(url, error) from error
    except (PoolTimeoutError, OSError) as error:
        raise unavailable(url, error) from error


def _is_mistake(error: StatementError) -> bool:
    if isinstance(error, IntegrityError | DataError | NotSupportedError):
        return True
    if "connection option" in str(error.orig):  # one that somebody wrote into the address
        return False
    if isinstance(error, ProgrammingError):
        return getattr(error.orig, "sqlstate", None) != _NO_PRIVILEGE
    return not isinstance(error, DatabaseError | InterfaceError)


def unavailable(url: URL, error: Exception) -> GovernanceError:
    """The refusal for what a database, or the system, has said."""
    said, own_way = _said(error)
    if url.password:
        said = said.replace(str(url.password), MASK)
    way = own_way or next((way for pattern, way in _WAYS if re.search(pattern, said)), _ELSE)
    return refused(
        "storage_unavailable", f"the database {shown(url)} cannot serve: {said}", hint=way
    )


def _said(error: Exception) -> tuple[str, str]:
    """What failed, and what to do where the system itself says it."""
    if isinstance(error, OSError) and error.filename:
        return refused_by_system(error)
    return first_line(error.orig if isinstance(error, DBAPIError) and error.orig else error), ""


def no_address() -> GovernanceError:
    """The refusal of a text that names no database; the text may hold a password."""
    return refused(
        "storage_unavailable",
        "the address of the metadata's database cannot be read",
        hint=f"set {SETTING} to postgresql://USER:PASSWORD@HOST/NAME, or unset it",
    )
