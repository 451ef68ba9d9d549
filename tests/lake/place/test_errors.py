"""Errors of the lake: the tree is complete, each is one line with a way out, and nothing else comes through."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from lakeshelf import lake as public
from lakeshelf.errors import LakeError
from lakeshelf.lake.place import errors, names

DRAWN = re.compile(r"[├└]── (\w+) .*?(\w+Error)$", re.MULTILINE)


def subclasses() -> dict[str, type[LakeError]]:
    found = LakeError.__subclasses__()
    return {kind.__name__: kind for kind in found if kind.__module__ == errors.__name__}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    drawn = dict(DRAWN.findall(errors.__doc__ or ""))
    assert set(drawn) == set(subclasses())
    for name, builtin in drawn.items():
        kind = subclasses()[name]
        assert builtin in {parent.__name__ for parent in kind.__mro__}
        error = kind("what failed", hint="what to do")
        assert str(error) == "what failed; what to do"
        assert error.exit_code == 1


def test_the_package_exports_every_error_sorted() -> None:
    assert public.__all__ == sorted(public.__all__)
    assert set(subclasses()) <= set(public.__all__)
    assert all(hasattr(public, name) for name in public.__all__)


READING, WRITING, FILES = errors.Damaged, LakeError, errors.StorageError


@pytest.mark.parametrize(
    ("where", "raised", "expected"),
    [
        (READING, TableNotFoundError("no"), errors.NotFound),
        (WRITING, CommitFailedError("others"), errors.Conflict),
        (WRITING, CommitFailedError("Delta table is append-only"), errors.FeatureRefused),
        (WRITING, SchemaMismatchError("a vs b"), errors.SchemaError),
        (READING, DeltaProtocolError("feature"), errors.FeatureRefused),
        (WRITING, DeltaError("1 rows failed validation check"), errors.KeyViolation),
        (WRITING, DeltaError("Schema error: No field named x"), errors.SchemaError),
        (READING, DeltaError("Object at location x not found"), errors.Vacuumed),
        (WRITING, DeltaError("Object at location x not found"), errors.Damaged),
        (READING, PermissionError("Permission denied"), errors.StorageError),
        (FILES, OSError("No space left on device"), errors.StorageError),
        (READING, DeltaError("Generic S3 error: 403"), errors.StorageError),
        (READING, DeltaError("Parquet error: EOF"), errors.Damaged),
        (READING, pa.ArrowInvalid("truncated"), errors.Damaged),
        (READING, DeltaError("Error during planning: unique names"), LakeError),
        (READING, ValueError("what is this"), LakeError),
        (WRITING, ValueError("what is this"), LakeError),
    ],
)
def test_what_libraries_raise_becomes_the_error_of_the_place(
    where: type[LakeError], raised: Exception, expected: type[LakeError]
) -> None:
    with pytest.raises(expected) as caught, errors.explained("it failed", where):
        raise raised
    assert type(caught.value) is expected
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    assert caught.value.__cause__ is raised


@pytest.mark.parametrize("at", ["", "External: ", "Failed to parse parquet: External: "])
def test_a_disk_that_refuses_is_no_fault_of_a_file(at: str) -> None:
    said = "Generic LocalFileSystem error: Unable to copy data to file: No space left on device"
    with pytest.raises(errors.StorageError) as caught, errors.explained("x was not written"):
        raise DeltaError(at + said)
    assert caught.value.message == f"x was not written: {said}"
    assert "free some space" in caught.value.hint


@pytest.mark.parametrize("where", [READING, WRITING, FILES])
@pytest.mark.parametrize(
    "text",
    [
        "it broke in /lakes/append-only/no constraint/not found/x.parquet",
        "it broke at column 'constraint already exists'",
        'it broke at "No such file"',
        "it broke\n| Generic S3 error | Unsupported | append-only |",
    ],
)
def test_what_a_user_named_is_no_reason(where: type[LakeError], text: str) -> None:
    """A folder, a column or a value may have any words of an error in its name."""
    with pytest.raises(where) as caught, errors.explained("it failed", where):
        raise DeltaError(text)
    assert type(caught.value) is where


@pytest.mark.parametrize(
    "fault",
    [
        TypeError("x"), KeyError("not found"), AttributeError("x"), AssertionError("constraint"),
        NameError("x"), IndexError("x"), RecursionError("x"), NotImplementedError("Unsupported"),
        MemoryError("x"), pa.ArrowMemoryError("x"), KeyboardInterrupt(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", [READING, WRITING, FILES])
def test_faults_of_a_program_pass_as_they_are(where: type[LakeError], fault: BaseException) -> None:
    with pytest.raises(type(fault)) as caught, errors.explained("it failed", where):
        raise fault
    assert caught.value is fault


@pytest.mark.parametrize(
    "name",
    [
        "x", "a/b/c", "../a/b", "a/..", "a/%41", "a/b;c", 'a/"b"', "a/b c", "A/b", "/a/b", "a/", "",
        "a\n/b", "s3://a/b", "a/b\x00",
    ],
)  # fmt: skip
def test_a_name_that_could_be_a_path_or_sql_is_refused(name: str) -> None:
    with pytest.raises(errors.NameRefused, match="no name of a dataset"):
        names.checked(name)


def test_delta_would_decode_a_percent_sign(tmp_path: Path) -> None:
    """The trap that names are refused for."""
    with pytest.raises(DeltaError, match="aA/_delta_log"):
        write_deltalake(str(tmp_path / "a%41"), pa.table({"a": [1]}))


def test_an_unknown_name_lists_its_neighbours() -> None:
    error = names.unknown("cleansed/shelf_stat", ["cleansed/shelf_state", "ops/alerts"])
    assert "did you mean cleansed/shelf_state" in str(error)
