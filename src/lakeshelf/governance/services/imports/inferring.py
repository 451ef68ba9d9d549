"""The definition that a file suggests where there is no dataset yet: names, types that lose nothing, and a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.types import (
    BINARY,
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    NAME,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    Scalar,
)
from lakeshelf.errors import first_line
from lakeshelf.governance.domain.definition import ROW_ID, Column, Definition, made_key
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.imports.marking import read_mark, require_bounded
from lakeshelf.governance.services.imports.reading import unreadable
from lakeshelf.governance.services.imports.uploading import format_of, shown_name
from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import Parsed
from lakeshelf.ingestion.domain.casting import with_point
from lakeshelf.ingestion.domain.inference import inferred_columns
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import formats

_PLAIN = r"^-?\d+(\.\d+)?$"
_DIGITS = 38


def inferred(
    context: Context,
    caller: Caller,
    project: str,
    file_name: str,
    content: bytes,
    key: Sequence[str] = (),
    dialect: Dialect = PLAIN,
) -> Definition:
    """What a dataset would be that takes the rows of a file; nothing is kept.

    Types are those that ingestion infers, which keep every value as it stands: `00123` and `NA` are texts. But
    fractions that a file has as text are decimals, of as many digits as there are, not doubles.

    Args:
        context: What it stands on.
        caller: Who asks.
        project: The project that it would be in.
        file_name: Its name, whose ending says the format.
        content: The file.
        key: Columns that identify a row; none: the server makes keys.
        dialect: How the text of the file is written.

    Raises:
        GovernanceError: `not_found`, `forbidden`; `upload_invalid`: it cannot be read, or has a column that no dataset
            has; `body_too_large`; `definition_invalid`: the key is no column of it.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
    parsed = _parsed(content, format_of(file_name), dialect)
    names = parsed.table.column_names
    _require_names(names)
    kinds = {
        column.name: column.type for column in inferred_columns({0: parsed}, dialect.assume_zone)
    }
    doc = f"As it stands in {shown_name(file_name).rstrip('.')}."
    columns = [
        Column(Field(name, _type(parsed, name, kinds[name]), doc, required=name in key))
        for name in names
    ]
    made = () if key else (made_key(),)
    return Definition(1, (*made, *columns), tuple(key) or (ROW_ID,))


def _parsed(content: bytes, format_: str, dialect: Dialect) -> Parsed:
    try:
        require_bounded(content, format_)
        _, dialect = read_mark(content, format_, dialect)
        return formats.parse(content, f"upload.{format_}", None, dialect)
    except FileRefused as error:
        raise unreadable(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise unreadable(f"the file is damaged: {first_line(error)}", "") from error


def _require_names(names: Sequence[str]) -> None:
    unfit = [name for name in names if not NAME.fullmatch(name)]
    if unfit or not names:
        listed = ", ".join(repr(name[:40]) for name in unfit[:10]) or "none"
        raise refused(
            "upload_invalid",
            f"a column of a dataset cannot be called so: {listed}",
            hint="lower-case letters, digits and underscores, a letter first; rename them in the file",
            columns=[name[:80] for name in unfit],
        )


def _type(parsed: Parsed, name: str, kind: pa.DataType) -> Scalar | Decimal:
    """The type of a column that holds all values of a type of Arrow.

    Raises:
        GovernanceError: `upload_invalid`: there is none.
    """
    if pa.types.is_floating(kind):
        return _exact(parsed, name) or DOUBLE
    if pa.types.is_decimal(kind):
        return Decimal(kind.precision, kind.scale)
    for fits, scalar in _families():
        if fits(kind):
            return scalar
    raise refused(
        "upload_invalid",
        f"column {name} is {kind}, which no column of a dataset is",
        hint="leave it out of the file, or write it as text",
        column=name,
    )


def _families() -> Iterator[tuple[Callable[[pa.DataType], bool], Scalar | Decimal]]:
    yield lambda kind: kind == pa.uint64(), Decimal(20, 0)
    yield pa.types.is_integer, LONG
    yield lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind), STRING
    yield pa.types.is_boolean, BOOLEAN
    yield pa.types.is_date, DATE
    yield lambda kind: pa.types.is_timestamp(kind) and kind.tz is not None, TIMESTAMP
    yield lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind), BINARY


def _exact(parsed: Parsed, name: str) -> Decimal | None:
    """The decimal that holds every number of a column of text; None: only a double does."""
    column = parsed.table[name]
    if parsed.tells == "types" or not pa.types.is_string(column.type):
        return None
    numbers = with_point(column, parsed.dialect)
    texts = pc.unique(pc.utf8_trim_whitespace(numbers)).drop_null()
    texts = texts.filter(pc.not_equal(texts, ""))
    every = pc.all(pc.match_substring_regex(texts, _PLAIN)).as_py()
    if not every or numbers.null_count > column.null_count:
        return None
    scale, whole = (
        pc.max(pc.utf8_length(pc.replace_substring_regex(texts, rest, ""))).as_py()
        for rest in (r"^[^.]*\.?", r"^-|\..*$")
    )
    return Decimal(_DIGITS, scale) if scale + whole <= _DIGITS else None
