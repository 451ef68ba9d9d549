"""JSON files beside the tables of a dataset: whole, or not there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain, repeat
from typing import Any

from lakeshelf.files import write_atomically
from lakeshelf.lake.place.errors import StorageError, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.storage import filesystem


def write_json(root: Root, path: str, value: Any) -> bytes:
    """Write a value as JSON; the same value gives the same bytes, which are returned.

    Raises:
        StorageError: It was not written; nothing of it is there.
    """
    content = _text(value).encode()
    with explained(f"{path} of {root} was not written", StorageError):
        if root.folder is not None:
            write_atomically(root.folder / path, content)
        else:
            files, base = filesystem(root)
            with files.open_output_stream(f"{base}/{path}") as stream:
                stream.write(content)
    return content


def write_list(root: Root, path: str, values: Iterable[Any]) -> None:
    """Write values as one JSON list, as many as there are, without holding them.

    Raises:
        StorageError: It was not written; nothing of it is there.
    """
    files, base = filesystem(root)
    folder, _, _ = path.rpartition("/")
    part = f"{base}/{path}.part"
    with explained(f"{path} of {root} was not written", StorageError):
        files.create_dir(f"{base}/{folder}", recursive=True)
        try:
            with files.open_output_stream(part) as stream:
                for lead, value in zip(chain("[", repeat(",")), values, strict=False):
                    stream.write(f"{lead}{_text(value)}".encode())
                stream.write(b"]" if stream.tell() else b"[]")
            files.move(part, f"{base}/{path}")
        except BaseException:
            if files.get_file_info(part).is_file:
                files.delete_file(part)
            raise


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def read_json(root: Root, path: str) -> Any:
    """A value that was written as JSON.

    Raises:
        StorageError: It cannot be read.
    """
    files, base = filesystem(root)
    with (
        explained(f"{path} of {root} cannot be read", StorageError),
        files.open_input_stream(f"{base}/{path}") as stream,
    ):
        return json.loads(stream.read())
